#!/usr/bin/env bash
# tests/venv.sh DIR PIP-ARGUMENTS...: a virtual environment in DIR with what the arguments name.
set -eu
dir=$1
shift
python=${PYTHON:-python3}

# Debian keeps the part of Python that makes virtual environments in a package of its own.
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy python3-venv
    else
        echo "venv.sh: $python cannot make virtual environments: apt-get install python3-venv" >&2
        exit 1
    fi
fi

[ -x "$dir/bin/pip" ] || "$python" -m venv --clear "$dir"
"$dir/bin/pip" install --quiet --disable-pip-version-check "$@"
