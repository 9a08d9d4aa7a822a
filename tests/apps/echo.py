"""Gives back what it was sent.

/ the body, /environ the environ as JSON, /sum its length and SHA-256, /lines its lines.
"""

import hashlib
import json


def environ_as_json(environ):
    shown = {name: value for name, value in environ.items() if isinstance(value, str)}
    for name in ("multithread", "multiprocess", "run_once", "version", "input_terminated"):
        shown["wsgi." + name] = environ["wsgi." + name]
    return json.dumps(shown).encode()


def summed(body):
    digest, length = hashlib.sha256(), 0
    while True:
        piece = body.read(100_000)
        if not piece:
            return b"%d %s\n" % (length, digest.hexdigest().encode())
        digest.update(piece)
        length += len(piece)


def application(environ, start_response):
    what = environ["PATH_INFO"].strip("/")
    source = environ["wsgi.input"]
    if what == "environ":
        body = environ_as_json(environ)
    elif what == "sum":
        body = summed(source)
    elif what == "lines":
        body = b"".join(b"%d %s\n" % (len(line), line.strip()) for line in source)
    elif what == "ignore":
        body = b"not read\n"
    elif what == "by-hand":
        first, line, rest = source.read(3), source.readline(), source.readlines()
        body = repr((first, line, rest, source.read(), source.read(0))).encode()
    else:
        body = source.read()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
