#!/usr/bin/env bash
# Compiles smc.transfer.native where it is imported from; says something only if that fails.
set -euo pipefail
cd "$(dirname "$0")/.."

said=$(.venv/bin/python setup.py -q build_ext --inplace 2>&1) || {
    echo "$said" >&2
    echo "setup: src/native did not compile" >&2
    exit 1
}
