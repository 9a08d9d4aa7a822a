"""The servers that are compared, each with one web worker, two app workers and an access log."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import trees

APP_WORKERS = 2
SERVER_CORE = 0
START_LIMIT = 30

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
VENV = ROOT / "target/venv"

# One text for nginx and liege: that it is one is the point.
WEB = """
worker_processes 1;
error_log error.log warn;
pid server.pid;
daemon off;
{main}
events {{ worker_connections 1024; }}
http {{
    include {mime};
    default_type application/octet-stream;
    access_log access.log;
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 65s;
    {http}
    server {{
        listen 127.0.0.1:{port};
        location / {{ {location} }}
    }}
}}
"""


class Server:
    """One running contestant: its tree begins at the processes it was started with."""

    def __init__(self, name, folder):
        self.name = name
        self.folder = folder / name.replace(" ", "-")
        self.folder.mkdir(parents=True)
        self.port = free_port()
        self.processes = []

    def start(self, *command, **more):
        log = open(self.folder / "output.log", "ab")
        self.processes.append(
            subprocess.Popen(
                [str(word) for word in command],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=trees.pin(SERVER_CORE),
                **more,
            )
        )
        return self

    def wait(self, path="/"):
        """Returns when the address answers 200."""
        self.url = f"http://127.0.0.1:{self.port}{path}"
        deadline = time.monotonic() + START_LIMIT
        while True:
            try:
                with urllib.request.urlopen(self.url, timeout=2) as answer:
                    answer.read()
                    return self
            except OSError as failed:
                ended = [p for p in self.processes if p.poll() is not None]
                if ended or time.monotonic() > deadline:
                    self.stop()
                    log = (self.folder / "output.log").read_text(errors="replace")
                    sys.exit(f"{self.name} does not answer at {self.url}: {failed}\n{log}")
                time.sleep(0.05)

    def cpu(self):
        return {k: v for p in self.processes for k, v in trees.cpu(p.pid).items()}

    def memory(self):
        return sum(trees.proportional_set_size(p.pid) for p in self.processes)

    def stop(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def write(self, **words):
        """The web configuration, as nginx and liege both read it."""
        words = {"main": "", "http": "", **words}
        if os.getuid() == 0:
            words["main"] += " user root;"
        text = WEB.format(mime=ROOT / "conf/mime.types", port=self.port, **words)
        (self.folder / "conf").mkdir()
        (self.folder / "logs").mkdir()
        (self.folder / "conf/uwsgi_params").write_bytes((ROOT / "conf/uwsgi_params").read_bytes())
        file = self.folder / "conf/server.conf"
        file.write_text(text)
        return file


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def nginx_static(folder, files, path):
    server = Server("nginx", folder)
    conf = server.write(location=f"root {files};")
    return server.start("nginx", "-p", server.folder, "-c", conf).wait(path)


def liege_static(folder, files, path):
    server = Server("liege", folder)
    conf = server.write(location=f"root {files};")
    return server.start(binary(), "-p", server.folder, "-c", conf).wait(path)


def nginx_uwsgi(folder, app):
    server = Server("nginx + uWSGI", folder)
    door = server.folder / "app.sock"
    conf = server.write(location=f"include uwsgi_params; uwsgi_pass unix:{door};")
    server.start(
        VENV / "bin/uwsgi", "--master", "--need-app", "--die-on-term", "--disable-logging",
        "--processes", APP_WORKERS, "--socket", door, "--listen", 100, "--virtualenv", VENV,
        "--chdir", HERE, "--module", app,
    )  # fmt: skip
    return server.start("nginx", "-p", server.folder, "-c", conf).wait()


def liege_app(folder, app):
    server = Server("liege", folder)
    module, _, attribute = app.partition(":")
    identity = "uid root; gid root;" if os.getuid() == 0 else ""
    block = (
        f"app bench {{ chdir {HERE}; virtualenv {VENV}; module {module}; callable {attribute};"
        f" processes {APP_WORKERS}; {identity} }}"
    )
    conf = server.write(main=block, location="uwsgi_pass bench;")
    return server.start(binary(), "-p", server.folder, "-c", conf).wait()


def gunicorn(folder, app):
    server = Server("gunicorn", folder)
    return server.start(
        VENV / "bin/gunicorn", "--bind", f"127.0.0.1:{server.port}", "--workers", APP_WORKERS,
        "--worker-class", "gthread", "--threads", 2, "--access-logfile", "access.log",
        "--no-control-socket", "--chdir", HERE, app,
    ).wait()  # fmt: skip


def granian(folder, app):
    server = Server("granian", folder)
    return server.start(
        VENV / "bin/granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", server.port,
        "--workers", APP_WORKERS, "--blocking-threads", 1, "--access-log",
        "--working-dir", HERE, app,
    ).wait()  # fmt: skip


def binary():
    return Path(os.environ.get("LIEGE", ROOT / "target/release/liege"))
