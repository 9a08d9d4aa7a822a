#!/usr/bin/env python3
"""liege with the servers that it stands beside: Debian's nginx before our app, our web worker
before a real uWSGI; and large bodies through both of our ends. Every checksum must be equal."""

import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from browser import set_up_django
from running import (
    AS_ROOT, LIMIT, ROOT, VENV, Failed, Liege, example, expect, fetch, free_port, run, within,
)  # fmt: skip

sys.path.insert(0, str(ROOT / "tests/apps"))
import sums  # noqa: E402  (found by the line above)

MIB = 1024 * 1024
BODY = 20 * MIB
DJANGO_BODY = 50 * MIB

APP = """
app sums {{
    chdir {apps};
    virtualenv {venv};
    module sums;
    callable app;
    processes 2;
    socket {prefix}/sums.sock;
    {identity}
}}
"""
WEB = """
{main}
daemon off;
worker_processes 1;
pid {prefix}/{name}.pid;
error_log stderr notice;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_max_body_size 64m;
    client_body_temp_path {prefix}/{name}-bodies;
    uwsgi_temp_path {prefix}/{name}-answers;
    {http}
    server {{
        listen 127.0.0.1:{port};
        location / {{ include uwsgi_params; uwsgi_pass {upstream}; }}
    }}
}}
"""


def nginx_before_our_app():
    with folder() as prefix:
        liege = our_end(prefix, free_port(), "sums", main=app(prefix))
        port = free_port()
        main = "user root;" if AS_ROOT else ""
        conf = write(prefix, "nginx", port, f"unix:{prefix}/sums.sock", main=main)
        with stopping(liege), started(prefix, "nginx", "-p", prefix, "-c", conf):
            exchange_bodies(port)
            exchange_bodies(liege.port)


def our_web_worker_before_uwsgi():
    with folder() as prefix:
        door = prefix / "uwsgi.sock"
        uwsgi = [
            VENV / "bin/uwsgi", "--master", "--need-app", "--die-on-term", "--processes", "2",
            "--socket", door, "--virtualenv", VENV, "--chdir", ROOT / "tests/apps",
            "--module", "sums:app",
        ]  # fmt: skip
        with started(prefix, *uwsgi):
            within(LIMIT, door.exists, "uWSGI's socket")
            upstream = f"upstream theirs {{ server unix:{door}; }}"
            liege = our_end(prefix, free_port(), "theirs", http=upstream)
            with stopping(liege):
                exchange_bodies(liege.port)


def django_keeps_what_it_was_given():
    """50 MB by a form, and streamed back."""
    with example("django", prepare=set_up_django) as liege:
        body = b"".join(sums.pieces(DJANGO_BODY))
        page = fetch(liege.url())
        cookie = page.headers["Set-Cookie"].partition(";")[0]
        token = re.search(rb'name="csrfmiddlewaretoken" value="(\w+)"', page.body)[1]
        answer = fetch(
            liege.url(),
            form(token, body),
            {
                "Cookie": cookie,
                "Accept": "application/json",
                "Content-Type": "multipart/form-data; boundary=EDGE",
            },
            timeout=120,
        )
        expect(answer.status == 201, "the upload is taken", (answer.status, answer.body[:500]))
        kept = json.loads(answer.body)
        expect(kept["sha256"] == sha256(body), "the checksum of the upload", kept)
        back = fetch(liege.url(f"/parcels/{kept['number']}/"), timeout=120)
        expect(len(back.body) == DJANGO_BODY, "the length of the download", len(back.body))
        expect(sha256(back.body) == kept["sha256"], "the checksum of the download", back.status)


def exchange_bodies(port, ways=(False, True)):
    """20 MiB each way, with the length said first and without."""
    body = b"".join(sums.pieces(BODY))
    for chunked in ways:
        sent = (body[at : at + MIB] for at in range(0, BODY, MIB)) if chunked else body
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        connection.request("POST", "/sum", sent, encode_chunked=chunked, headers=framing(chunked))
        answer = connection.getresponse()
        said = answer.read()
        way = "chunked" if chunked else "with its length"
        expect(answer.status == 200, f"an upload {way} is taken", (answer.status, said[:300]))
        seen = json.loads(said)
        expect(seen["length"] == BODY, f"the length of an upload {way}", seen)
        expect(seen["sha256"] == sha256(body), f"the checksum of an upload {way}", seen)
        # The same connection again: the upload must have left it in step.
        connection.request("GET", f"/bytes/{BODY}" + ("" if chunked else "?known"))
        answer = connection.getresponse()
        back = answer.read()
        expect(
            sha256(back) == sha256(body),
            f"the checksum of a download {way}",
            (answer.status, len(back)),
        )
        connection.close()


def framing(chunked):
    return {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(BODY)}


def our_end(prefix, port, upstream, main="", http=""):
    """Our web worker, before an upstream."""
    conf = write(prefix, "liege", port, upstream, main=main, http=http)
    liege = Liege(prefix, conf=conf, port=port)
    try:
        return liege.wait_for()
    except Failed:
        liege.stop()
        raise


def write(prefix, name, port, upstream, main="", http=""):
    """A web configuration: nginx and liege read the same."""
    conf = prefix / f"{name}.conf"
    conf.write_text(
        WEB.format(prefix=prefix, name=name, port=port, upstream=upstream, main=main, http=http)
    )
    shutil.copy(ROOT / "conf/uwsgi_params", prefix)
    return conf


def app(prefix):
    identity = "uid root; gid root;" if AS_ROOT else ""
    return APP.format(apps=ROOT / "tests/apps", venv=VENV, prefix=prefix, identity=identity)


@contextmanager
def folder():
    with tempfile.TemporaryDirectory(prefix="liege-peers-") as path:
        yield Path(path)


@contextmanager
def stopping(liege):
    try:
        yield liege
    except BaseException:
        print(f"--- output of liege\n{liege.log()[-8000:]}\n---", file=sys.stderr)
        raise
    finally:
        liege.stop()


@contextmanager
def started(prefix, *command):
    """Another server, for as long as the block lasts."""
    with open(prefix / "theirs.log", "ab") as output:
        process = subprocess.Popen(
            [str(word) for word in command], stdout=output, stderr=output, cwd=prefix
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(LIMIT)


def form(token, body):
    """A form as a browser sends it: the token and one file."""
    return b"".join([
        b'--EDGE\r\nContent-Disposition: form-data; name="csrfmiddlewaretoken"\r\n\r\n', token,
        b'\r\n--EDGE\r\nContent-Disposition: form-data; name="content"; filename="parcel.bin"\r\n',
        b"Content-Type: application/octet-stream\r\n\r\n", body, b"\r\n--EDGE--\r\n",
    ])  # fmt: skip


def sha256(body):
    return hashlib.sha256(body).hexdigest()


if __name__ == "__main__":
    os.environ["PATH"] += ":/usr/sbin"
    run(
        "peers", [nginx_before_our_app, our_web_worker_before_uwsgi, django_keeps_what_it_was_given]
    )
