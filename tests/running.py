"""A liege that runs for a test: in a folder of its own, on a free port, stopped by its pid."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / "target/venv"
BINARY = Path(os.environ.get("LIEGE", ROOT / "target/release/liege"))
LIMIT = 30
AS_ROOT = os.getuid() == 0


class Failed(Exception):
    """What a test expected did not come about."""


class Liege:
    """One liege and its processes."""

    def __init__(self, prefix, conf="liege.conf", port=None, environment=None):
        self.prefix = prefix
        self.port = port
        self.output = prefix / "output.log"
        command = [BINARY, "-p", prefix, "-c", conf]
        if AS_ROOT:
            command += ["-g", "user root;"]
        with open(self.output, "ab") as output:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **(environment or {})},
            )

    def url(self, path="/"):
        return f"http://127.0.0.1:{self.port}{path}"

    def wait_for(self, path="/"):
        """Returns when an address answers with anything but a gateway's failure."""
        try:
            within(LIMIT, lambda: fetch(self.url(path)).status < 502, f"an answer at {path}")
        except Failed:
            self.fail()
        return self

    def pids(self, title):
        """The pids of this liege's processes whose title begins like this."""
        found = []
        for pid in below(self.process.pid):
            if title_of(pid).startswith(f"liege: {title}"):
                found.append(pid)
        return sorted(found)

    def signal(self, number):
        self.process.send_signal(number)

    def log(self):
        texts = [self.output, *sorted(self.prefix.glob("logs/*.log"))]
        return "\n".join(text.read_text(errors="replace") for text in texts if text.exists())

    def fail(self):
        raise Failed(
            f"liege did not do what was asked (see above); its output:\n{self.log()[-8000:]}"
        )

    def stop(self):
        """Stops gracefully; a master that does not end or leaves a process behind is a failure."""
        tree = below(self.process.pid)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            for pid in [self.process.pid, *tree]:
                kill(pid)
            raise Failed(f"the master did not stop:\n{self.log()[-8000:]}") from None
        within(5, lambda: not any(title_of(pid).startswith("liege: ") for pid in tree), "no orphan")


@contextmanager
def example(name, environment=None, prepare=None):
    """An example, running in a copy of its folder with the packages of target/venv."""
    with tempfile.TemporaryDirectory(prefix=f"liege-{name}-") as folder:
        prefix = Path(folder) / name
        skip = shutil.ignore_patterns(
            "venv", "run", "caller", "*.db*", "*.sqlite3*", "media", "collected"
        )
        shutil.copytree(ROOT / "examples" / name, prefix, ignore=skip)
        port = free_port()
        conf = (prefix / "liege.conf").read_text()
        conf = re.sub(r"listen 127\.0\.0\.1:\d+", f"listen 127.0.0.1:{port}", conf)
        conf = conf.replace("../../conf/", f"{ROOT}/conf/").replace(
            "virtualenv venv", f"virtualenv {VENV}"
        )
        (prefix / "liege.conf").write_text(conf)
        (prefix / "run").mkdir()
        (prefix / "caller").mkdir()
        if AS_ROOT:
            (prefix / "caller/root.conf").write_text("uid root; gid root;\n")
        if prepare:
            prepare(prefix)
        liege = Liege(prefix, port=port, environment=environment)
        try:
            yield liege.wait_for()
        except BaseException:
            print(f"--- output of liege\n{liege.log()[-8000:]}\n---", file=sys.stderr)
            raise
        finally:
            liege.stop()


class Answer:
    """What a server said."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body


def fetch(url, data=None, headers=None, timeout=10):
    """One request; a status of any kind is an answer, only a broken connection is none."""
    request = urllib.request.Request(url, data, headers or {})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as answer:
        return Answer(answer.code, answer.headers, answer.read())
    except OSError as broken:
        return Answer(599, {}, str(broken).encode())


def within(seconds, claim, what):
    """Waits until a claim is true, or fails naming it."""
    deadline = time.monotonic() + seconds
    while True:
        if truth := claim():
            return truth
        if time.monotonic() > deadline:
            raise Failed(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def expect(truth, claim, seen):
    if not truth:
        raise Failed(f"expected: {claim}; seen: {seen!r}")


def below(root):
    """The pids under a process, its own not among them."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(entry.name)] = int(
                (entry / "stat").read_text().rpartition(")")[2].split()[1]
            )
        except OSError:
            continue
    found, waiting = [], [root]
    while waiting:
        parent = waiting.pop()
        children = [pid for pid, its in parents.items() if its == parent]
        found += children
        waiting += children
    return found


def title_of(pid):
    try:
        return (
            Path(f"/proc/{pid}/cmdline").read_bytes().partition(b"\0")[0].decode(errors="replace")
        )
    except OSError:
        return ""


def age(pid):
    """Seconds since a process began; 0 for one that is gone."""
    try:
        began = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return 0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - began / os.sysconf("SC_CLK_TCK")


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(name, chapters):
    """Runs the chapters of a test program in turn, a line for each; exits with how it went."""
    if not BINARY.exists():
        sys.exit(f"{name}: {BINARY} is not there: make build")
    failed = 0
    for chapter in chapters:
        began = time.monotonic()
        try:
            said = chapter() or "ok"
        except Failed as failure:
            failed += 1
            said = f"FAILED: {failure}"
        print(
            f"{name}: {chapter.__name__} ... {said} ({time.monotonic() - began:.1f} s)", flush=True
        )
    sys.exit(bool(failed))
