#!/usr/bin/env bash
# Bring the console's front-end files to web/static/vendor, at the versions of package-lock.json.
set -euo pipefail

python=$(realpath -s "${1:?usage: fetch.sh PYTHON TOOLS_DIRECTORY}")
tools=$(realpath -m "${2:?usage: fetch.sh PYTHON TOOLS_DIRECTORY}")
cd "$(dirname "${BASH_SOURCE[0]}")"

./with_npm.sh "$python" "$tools" npm ci --no-progress --loglevel=error
"$python" vendor.py node_modules ../static/vendor
rm -rf node_modules
