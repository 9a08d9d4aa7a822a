#!/usr/bin/env python3
"""Measures liege beside the servers that it replaces, in one run on one machine.

For each case all contestants run at once on one core, and wrk loads them in turn from another,
round by round. The tables give medians: microseconds of processor time per request of the whole
process tree, requests per second of that one core, and the tree's memory (PSS, each tree alone and
warm).
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import servers
import trees

LOAD_CORE = 1
CONNECTIONS = 16
KIB = 1024
MIB = 1024 * KIB


class Case:
    """What is asked of which servers, and what share of the first one's cost liege may have."""

    def __init__(self, name, title, contestants, expected=None):
        self.name = name
        self.title = title
        self.contestants = contestants
        self.expected = expected


def static(name, title, size, expected=None):
    def starter(start):
        def begin(folder, files):
            file = files / f"{name}.html"
            if not file.exists():
                file.write_bytes(os.urandom(size))
            return start(folder, files, f"/{file.name}")

        return begin

    contestants = {"nginx": starter(servers.nginx_static), "liege": starter(servers.liege_static)}
    return Case(name, title, contestants, expected)


def app(name, title, target, expected=None):
    def starter(start):
        return lambda folder, files: start(folder, target)

    contestants = {
        "nginx + uWSGI": starter(servers.nginx_uwsgi),
        "liege": starter(servers.liege_app),
        "gunicorn": starter(servers.gunicorn),
        "granian": starter(servers.granian),
    }
    return Case(name, title, contestants, expected)


CASES = [
    static("600", "static file, 600 bytes", 600, expected=0.8),
    static("16k", "static file, 16 KiB", 16 * KIB),
    static("100k", "static file, 100 KiB", 100 * KIB),
    static("10m", "static file, 10 MiB", 10 * MIB, expected=1.1),
    app("hello", "hello, bare WSGI", "hello:bare", expected=1.0),
    app("flask", "hello, Flask", "hello:in_flask"),
]


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="liege-bench-") as folder:
        folder = Path(folder)
        folder.chmod(0o755)
        files = folder / "files"
        files.mkdir()
        for case in CASES:
            if not options.only or case.name in options.only:
                measure(case, folder / case.name, files, options)


def measure(case, folder, files, options):
    there = servers.binary().exists()
    starters = [start for name, start in case.contestants.items() if there or name != "liege"]
    memory = [alone(start, folder / "alone", files) for start in starters]
    running = []
    try:
        for start in starters:
            running.append(start(folder, files))
        for server in running:
            load(server, 1)
        rounds = [[load(s, options.seconds) for s in running] for _ in range(options.rounds)]
    finally:
        for server in running:
            server.stop()
    results = [summary(s, m, r) for s, m, r in zip(running, memory, zip(*rounds))]
    show(case, results)


def alone(start, folder, files):
    """The memory of a contestant that served for a second and shares pages with no other one."""
    server = start(folder, files)
    try:
        load(server, 1)
        return server.memory()
    finally:
        server.stop()


def load(server, seconds):
    """One round: processor microseconds, requests answered, requests per second, failures."""
    before = server.cpu()
    ran = subprocess.run(
        ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s", server.url],
        capture_output=True,
        text=True,
        timeout=seconds + 60,
        preexec_fn=trees.pin(LOAD_CORE),
    )
    used = trees.spent(before, server.cpu())
    said = ran.stdout
    requests = int(re.search(r"(\d+) requests in", said)[1])
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    broken = re.search(r"Socket errors: (.*)", said)
    failed = int(wrong[1]) if wrong else 0
    failed += sum(map(int, re.findall(r"\d+", broken[1]))) if broken else 0
    return used / max(requests, 1), rate, failed


def summary(server, memory, rounds):
    costs, rates, failures = zip(*rounds)
    spread = max(costs) - min(costs)
    return (
        server.name,
        statistics.median(costs),
        spread,
        statistics.median(rates),
        memory,
        sum(failures),
    )


def show(case, results):
    first = results[0][1]
    heads = ["", "µs/request", "spread", "ratio", "requests/s", "PSS MiB", "failed"]
    print(f"\n{case.title}\n" + row(*heads))
    for name, cost, spread, rate, memory, failed in results:
        ratio = cost / first
        verdict = ""
        if name == "liege" and case.expected:
            word = "met" if ratio <= case.expected else "MISSED"
            verdict = f"   expected ≤ {case.expected}: {word}"
        figures = [f"{cost:.1f}", f"{spread:.1f}", f"{ratio:.2f}", f"{rate:,.0f}"]
        print(row(name, *figures, f"{memory / MIB:.1f}", failed) + verdict, flush=True)


def row(name, cost, spread, ratio, rate, memory, failed):
    return f"  {name:14}{cost:>12}{spread:>8}{ratio:>7}{rate:>12}{memory:>9}{failed:>8}"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=int, default=3, help="length of one round (3)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds for each case (5)")
    parser.add_argument("--only", nargs="*", metavar="CASE", help=" ".join(c.name for c in CASES))
    options = parser.parse_args()
    for tool in ["wrk", "nginx"]:
        if not shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin"):
            sys.exit(f"run.py: {tool} is not here: run tests/needs.sh")
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("run.py: two cores are needed, one for the servers and one for the load")
    if not servers.binary().exists():
        print(f"{servers.binary()} is not there (make build): the others alone")
    return options


if __name__ == "__main__":
    main()
