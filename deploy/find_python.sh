#!/usr/bin/env bash
# Print the newest Python that Steppe supports on this machine; PYTHON names one instead.
set -euo pipefail

for name in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
    command -v "$name" >/dev/null || continue
    if "$name" -c 'import sys; sys.version_info >= (3, 11) or sys.exit(1); print(sys.executable)' 2>/dev/null; then
        exit
    fi
done
echo "Steppe needs Python 3.11 or newer and found none (PYTHON=/path/to/python names one)." >&2
exit 1
