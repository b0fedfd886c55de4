#!/usr/bin/env bash
# Run a command that needs node and npm. A machine without a usable npm gets one from PyPI, beside the virtual environment.
set -euo pipefail

usage="usage: with_npm.sh PYTHON TOOLS_DIRECTORY COMMAND..."
python=$(realpath -s "${1:?$usage}")
tools=$(realpath -m "${2:?$usage}")
shift 2

if ! npm --version >/dev/null 2>&1; then
    if [[ ! -x $tools/bin/npm ]]; then
        "$python" -m venv "$tools"
        "$tools/bin/pip" install --quiet --require-hashes -r "$(dirname "${BASH_SOURCE[0]}")/node.lock"
    fi
    PATH=$tools/bin:$PATH
fi
exec "$@"
