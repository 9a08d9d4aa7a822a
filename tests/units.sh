#!/usr/bin/env bash
# The systemd files: clean under `systemd-analyze verify`, and an exposure of 4.0 at most.
set -eu
cd "$(dirname "$0")/.."
if ! command -v systemd-analyze >/dev/null; then
    echo "units.sh: left out: systemd-analyze is not here (apt-get install systemd)" >&2
    exit 0
fi

# `verify` wants every program of a unit to exist: the units are checked as `make install` writes them.
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
make --no-print-directory --silent install DESTDIR="$root" PREFIX=/usr
units=$root/usr/lib/systemd/system
sed -i "s#=/usr/sbin/liege#=$root/usr/sbin/liege#" "$units/liege.service"

complaints=$(systemd-analyze verify --man=no "$units/liege.service" "$units/liege.socket" 2>&1)
if [ -n "$complaints" ]; then
    echo "$complaints" >&2
    exit 1
fi
systemd-analyze security --offline=true --threshold=40 --no-pager "$units/liege.service" | tail -n 1
if command -v systemd-sysusers >/dev/null; then
    systemd-sysusers --dry-run "$root/usr/lib/sysusers.d/liege.conf" >/dev/null 2>&1
fi
