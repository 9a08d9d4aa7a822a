#!/usr/bin/env bash
# `make demo` in a fresh clone, as a newcomer has it: the guestbook answers on port 8080, Ctrl-C ends everything.
# Not a part of `make check`: it needs that very port, and builds from nothing.
set -eu
cd "$(dirname "$0")/.."
clone=$(mktemp -d)
log=$clone.log
finish() {
    [ -z "${demo:-}" ] || kill -INT -- "-$demo" 2>/dev/null || true
    rm -rf "$clone" "$log"
}
trap finish EXIT
git clone --quiet . "$clone"

set -m
make -C "$clone" demo >"$log" 2>&1 &
demo=$!
set +m
for _ in $(seq 1800); do
    if curl -fsS -o "$clone/page.html" http://127.0.0.1:8080/ 2>/dev/null; then break; fi
    kill -0 "$demo" 2>/dev/null || { cat "$log" >&2; echo "demo.sh: make demo ended" >&2; exit 1; }
    sleep 1
done
grep -q '<title>Guestbook</title>' "$clone/page.html"
for file in guestbook.css lantern.svg; do
    curl -fsS "http://127.0.0.1:8080/static/$file" | cmp - "examples/guestbook/static/$file"
done
tail -n 12 "$log"
kill -INT -- "-$demo"
wait "$demo" || true
demo=
if curl -fsS -o /dev/null http://127.0.0.1:8080/ 2>/dev/null; then
    echo "demo.sh: something still answers after Ctrl-C" >&2
    exit 1
fi
echo "demo.sh: ok"
