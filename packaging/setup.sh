#!/usr/bin/env bash
# Makes this checkout runnable: the system packages it needs, and .venv with the pinned libraries.
set -euo pipefail
cd "$(dirname "$0")/.."

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

bash packaging/install.sh packaging/apt-packages.txt
apt-cache show libc6 >/dev/null 2>&1 || as_root apt-get update -qq  # the agent is made of this host's packages

python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "setup: Python 3.11 or newer is needed; $("$python" --version) found. Set PYTHON=/path/to/python3.x" >&2
    exit 1
}
[ -x .venv/bin/python ] || "$python" -m venv .venv
pip() { .venv/bin/python -m pip --quiet --disable-pip-version-check "$@"; }
# The extension is compiled with the pinned setuptools: pip's isolated build would take the newest.
pip install -c packaging/constraints.txt setuptools
pip install -c packaging/constraints.txt --no-build-isolation -e '.[test]'
echo "setup: ready"
