#!/usr/bin/env python3
"""liege under load while its processes are killed, its configuration and code replaced by better
and worse ones, and its files edited. Failed requests are counted, and the counts are printed.

`--kills` and `--reloads` say how often; the defaults are what docs and releases speak of.
"""

import argparse
import os
import re
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from running import (
    AS_ROOT, BINARY, LIMIT, VENV, Liege, age, expect, fetch, free_port, kill, run, within,
)  # fmt: skip

ANSWERS_WITHIN = 0.2
EFFECT_WITHIN = 1.0
CLIENTS = 16
WORKERS = 2

CONF = """
daemon off;
worker_processes 1;
error_log stderr notice;
auto_reload {auto_reload};
pid run/liege.pid;
app storm {{
    chdir {prefix};
    virtualenv {venv};
    module storm:app;
    processes {workers};
    start_timeout 3s;
    {identity}
}}
events {{ worker_connections 256; }}
http {{
    access_log off;
    include *.inc;
    server {{
        listen 127.0.0.1:{port};
        location = /file {{ root {prefix}; }}
        location = /said {{ return 200 "{said}"; }}
        location / {{ uwsgi_pass storm; }}
    }}
}}
"""
STORM = """
from flask import Flask
app = Flask(__name__)
@app.get("/")
def version():
    return "version {version:04}"
"""
INCLUDED = """
server {{ listen 127.0.0.1:{port}; location / {{ return 200 "{said}"; }} }}
"""


class Storm:
    """One liege with an app, a file, and the means to change what they say."""

    def __init__(self, prefix, auto_reload="off"):
        self.prefix = prefix
        self.port, self.other = free_port(), free_port()
        self.auto_reload = auto_reload
        (prefix / "run").mkdir()
        (prefix / "file").write_bytes(os.urandom(600))
        self.code(1)
        self.conf()
        self.liege = Liege(prefix, port=self.port)
        self.liege.wait_for("/")

    def conf(self, said="first", extra=""):
        """Writes the configuration in place, as an operator's shell does."""
        identity = "uid root; gid root;" if AS_ROOT else ""
        text = CONF.format(
            prefix=self.prefix, venv=VENV, port=self.port, workers=WORKERS, said=said,
            auto_reload=self.auto_reload, identity=identity,
        )  # fmt: skip
        (self.prefix / "liege.conf").write_text(text + extra)

    def code(self, version, before=""):
        # Python takes a source of the same second and size for the one that it compiled before.
        size = "#" * version
        (self.prefix / "storm.py").write_text(before + STORM.format(version=version) + size)

    def says(self, path="/"):
        return fetch(self.liege.url(path)).body.decode()

    def load(self, path, seconds):
        """wrk in the background."""
        command = ["wrk", "-t1", f"-c{CLIENTS}", f"-d{seconds}s", self.liege.url(path)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@contextmanager
def storm(**more):
    with tempfile.TemporaryDirectory(prefix="liege-storm-") as folder:
        weather = Storm(Path(folder), **more)
        try:
            yield weather
        except BaseException:
            print(f"--- output of liege\n{weather.liege.log()[-6000:]}\n---", flush=True)
            raise
        finally:
            weather.liege.stop()


def killed(title, path, allowance, after=ANSWERS_WITHIN):
    """Kills a process of a kind again and again under load: what fails, how soon it answers."""
    with storm() as weather:
        load = weather.load(path, seconds=OPTIONS.kills * 2)
        slowest = 0
        for _ in range(OPTIONS.kills):
            # Short lives in a row are slowed down on purpose: each victim has lived a second.
            victims = within(LIMIT, lambda: settled(weather, title), "processes of that age")
            kill(victims[0])
            began = time.monotonic()
            within(5, lambda: fetch(weather.liege.url(path), timeout=1).status == 200, "an answer")
            slowest = max(slowest, time.monotonic() - began)
            count = len(victims)
            within(LIMIT, lambda: len(weather.liege.pids(title)) >= count, "a successor")  # noqa: B023
        requests, failed = counts(load.communicate()[0])
        expect(slowest <= after, f"an answer within {after:.2f} s", f"{slowest:.3f} s")
        expect(failed <= allowance * OPTIONS.kills, "only its own requests fail", failed)
        said = f"{OPTIONS.kills} kills, {requests} requests, {failed} failed"
        return f"{said}, answers in {slowest * 1000:.0f} ms"


def settled(weather, title):
    """The pids of a kind, once the youngest has lived more than a second."""
    pids = weather.liege.pids(title)
    return pids if pids and all(age(pid) > 1.1 for pid in pids) else []


def counts(said):
    """wrk's requests, and all that were not answered well."""
    requests = int(re.search(r"(\d+) requests in", said)[1])
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    broken = re.search(r"Socket errors: (.*)", said)
    failed = sum(map(int, re.findall(r"\d+", broken[1]))) if broken else 0
    return requests, failed + (int(wrong[1]) if wrong else 0)


def web_worker_killed_under_load_on_a_file():
    return killed("web worker", "/file", allowance=CLIENTS)


def web_worker_killed_under_load_on_the_app():
    return killed("web worker", "/", allowance=CLIENTS)


def app_worker_killed_under_load_on_a_file():
    return killed("app storm worker", "/file", allowance=0)


def app_worker_killed_under_load_on_the_app():
    return killed("app storm worker", "/", allowance=1)


def app_master_killed_under_load_on_a_file():
    return killed("app storm master", "/file", allowance=0)


def app_master_killed_under_load_on_the_app():
    return killed("app storm master", "/", allowance=0, after=import_time() + ANSWERS_WITHIN)


def import_time():
    began = time.monotonic()
    subprocess.run([VENV / "bin/python", "-c", "import flask"], check=True)
    return time.monotonic() - began


def reloads_under_load_lose_nothing():
    with storm() as weather:
        total = stormed(weather, lambda _: None, lambda _: time.sleep(0.1))
        return f"{OPTIONS.reloads} SIGHUPs, {total} requests, 0 failed"


def new_code_before_each_reload_loses_nothing():
    with storm() as weather:

        def served(number):
            # With as many digits each time: `ab` takes a change of length for a failure.
            within(LIMIT, lambda: weather.says() == f"version {number:04}", "the new code")

        total = stormed(weather, weather.code, served)
        return f"{OPTIONS.reloads} SIGHUPs, {total} requests, 0 failed, each version served"


def stormed(weather, change, rest):
    """SIGHUPs until enough were sent, `ab` all the while: how many requests; none has failed."""
    total, number = 0, 0
    while number < OPTIONS.reloads:
        for path in ["/file", "/"]:
            ab = subprocess.Popen(
                ["ab", "-q", "-n", "20000", "-c", "8", weather.liege.url(path)],
                stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            while ab.poll() is None and number < OPTIONS.reloads:
                number += 1
                change(number)
                weather.liege.signal(signal.SIGHUP)
                rest(number)
            total += unfailed(ab)
    return total


def unfailed(ab):
    said = ab.communicate()[0]
    complete = int(re.search(r"Complete requests:\s+(\d+)", said)[1])
    failed = int(re.search(r"Failed requests:\s+(\d+)", said)[1])
    wrong = re.search(r"Non-2xx responses:\s+(\d+)", said)
    expect(complete == 20000 and failed == 0 and not wrong, "no failed request", said[-1500:])
    return complete


def a_bad_reload_changes_nothing():
    """A syntax error, an unknown directive, a module that raises, one that hangs."""
    with storm() as weather:
        for extra, words in [
            ("http {", ["unexpected end of file", "liege.conf:"]),
            ("wrokers 2;\n", ['unknown directive "wrokers"', "liege.conf:"]),
        ]:
            weather.conf(extra=extra)
            survive(weather, words)
            asked = subprocess.run(
                [BINARY, "-p", weather.prefix, "-c", "liege.conf", "-s", "reload"],
                capture_output=True, text=True,
            )  # fmt: skip
            expect(asked.returncode != 0, "-s reload fails", (asked.returncode, asked.stderr))
            expect(words[0] in asked.stderr, "-s reload names the cause", asked.stderr)
        weather.conf()
        weather.code(2, before="import nowhere_to_be_found\n")
        survive(weather, ["No module named 'nowhere_to_be_found'", "storm.py"])
        weather.code(3, before="import time; time.sleep(600)\n")
        survive(weather, ["start_timeout"])
        weather.code(4)
        weather.liege.signal(signal.SIGHUP)
        within(LIMIT, lambda: weather.says() == "version 0004", "the mended code")


def survive(weather, words):
    """A SIGHUP under load that is to change nothing but the log."""
    before = len(weather.liege.log())
    ab = subprocess.Popen(
        ["ab", "-q", "-n", "20000", "-c", "8", weather.liege.url("/")],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    weather.liege.signal(signal.SIGHUP)
    for word in words:
        within(LIMIT, lambda: word in weather.liege.log()[before:], f"{word!r} in the log")  # noqa: B023
    unfailed(ab)
    expect(weather.says() == "version 0001", "the old generation serves on", weather.says())


def an_edited_file_takes_effect():
    """In place, by a new file renamed over it, and in an included file."""
    with storm(auto_reload="on") as weather:
        times = [took(weather, "second", lambda: weather.conf("second"))]
        weather_file = weather.prefix / "liege.conf"

        def renamed():
            new = weather.prefix / "liege.conf.new"
            new.write_text(weather_file.read_text().replace("second", "third"))
            new.rename(weather_file)

        times.append(took(weather, "third", renamed))
        included = weather.prefix / "more.inc"
        url = f"http://127.0.0.1:{weather.other}/"
        for said in ["fourth", "fifth"]:
            began = time.monotonic()
            included.write_text(INCLUDED.format(port=weather.other, said=said))
            within(LIMIT, lambda: fetch(url).body.decode() == said, f"{said!r}")  # noqa: B023
            times.append(time.monotonic() - began)
        shown = " ".join(f"{seconds * 1000:.0f}" for seconds in times)
        expect(max(times) <= EFFECT_WITHIN, f"an effect within {EFFECT_WITHIN} s", f"{shown} ms")
        return f"in {shown} ms"


def took(weather, said, change):
    began = time.monotonic()
    change()
    within(LIMIT, lambda: weather.says("/said") == said, f"{said!r} at /said")
    return time.monotonic() - began


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--reloads", type=int, default=50)
    parser.add_argument("--only", default="", help="chapters whose name holds this")
    return parser.parse_args()


CHAPTERS = [
    web_worker_killed_under_load_on_a_file,
    web_worker_killed_under_load_on_the_app,
    app_worker_killed_under_load_on_a_file,
    app_worker_killed_under_load_on_the_app,
    app_master_killed_under_load_on_a_file,
    app_master_killed_under_load_on_the_app,
    reloads_under_load_lose_nothing,
    new_code_before_each_reload_loses_nothing,
    a_bad_reload_changes_nothing,
    an_edited_file_takes_effect,
]

if __name__ == "__main__":
    OPTIONS = arguments()
    run("storms", [c for c in CHAPTERS if OPTIONS.only in c.__name__])
