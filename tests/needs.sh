#!/usr/bin/env bash
# Gets what the tests run with: Debian packages when root may install them, Python packages in target/venv.
set -eu
cd "$(dirname "$0")/.."

packages=()
need() { # COMMAND PACKAGE
    command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || packages+=("$2")
}
need cc gcc
need make make
need mandoc mandoc
need nginx nginx-light
need wrk wrk
need ab apache2-utils
need curl curl
need chromium chromium
need chromedriver chromium-driver
need systemd-analyze systemd
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || packages+=(postgresql)
python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)
# uWSGI comes as source: it needs the headers of the python3 that runs it.
headers='import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))'
python3 -c "$headers" || packages+=(python3-dev)

if [ ${#packages[@]} -gt 0 ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        # RUNLEVEL=1 keeps the packages from starting their own servers on this machine.
        export RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive
        apt-get update -q
        apt-get install -qy --no-install-recommends "${packages[@]}"
    else
        echo "needs.sh: missing here, and tests that want them will fail or say that they were" \
             "left out: apt-get install ${packages[*]}" >&2
    fi
fi

for component in rustfmt clippy; do
    cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1 || rustup component add "$component"
done

if ! cmp -s tests/requirements.txt target/venv/requirements.txt; then
    mkdir -p target
    tests/venv.sh target/venv -r tests/requirements.txt
    cp tests/requirements.txt target/venv/requirements.txt
fi
