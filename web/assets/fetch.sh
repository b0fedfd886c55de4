#!/usr/bin/env bash
# Bring the console's front-end files to web/static/vendor, at the versions of package-lock.json.
# A machine without a usable npm gets one from PyPI, beside the virtual environment.
set -euo pipefail

python=$(realpath -s "${1:?usage: fetch.sh PYTHON TOOLS_DIRECTORY}")
tools=$(realpath -m "${2:?usage: fetch.sh PYTHON TOOLS_DIRECTORY}")
cd "$(dirname "${BASH_SOURCE[0]}")"

if ! npm --version >/dev/null 2>&1; then
    if [[ ! -x $tools/bin/npm ]]; then
        "$python" -m venv "$tools"
        "$tools/bin/pip" install --quiet --require-hashes -r node.lock
    fi
    PATH=$tools/bin:$PATH
fi

npm ci --no-progress --loglevel=error
"$python" vendor.py node_modules ../static/vendor
rm -rf node_modules
