#!/bin/sh
# Makes the virtual environment; on a bare Debian it first brings python3-venv, or says how.
set -eu
python=$1 venv=$2
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "Farola needs Python 3.11 or newer; $python is older: make PYTHON=python3.12 …" >&2
    exit 1
}
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null
    else
        echo "Python's venv is missing: run 'sudo apt-get install python3-venv' and try again" >&2
        exit 1
    fi
fi
"$python" -m venv "$venv"
