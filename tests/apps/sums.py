"""A Flask application with checksums of what arrives and bytes that can be made again."""

import hashlib
import os
import random

from flask import Flask, Response, request

PIECE = 64 * 1024

app = Flask(__name__)


@app.post("/sum")
def checksum():
    """The length and SHA-256 of the body, read in pieces."""
    seen, length = hashlib.sha256(), 0
    while piece := request.stream.read(PIECE):
        seen.update(piece)
        length += len(piece)
    return {"length": length, "sha256": seen.hexdigest(), "process": os.getpid()}


@app.get("/bytes/<int:length>")
def some(length):
    """The same bytes for the same length, streamed; with `?known` their number is said first."""
    headers = {"Content-Length": str(length)} if "known" in request.args else {}
    return Response(pieces(length), mimetype="application/octet-stream", headers=headers)


@app.get("/")
def hello():
    """Who answers."""
    return f"process {os.getpid()}\n"


def pieces(length):
    """Pseudo-random bytes that begin the same each time."""
    source = random.Random(length)
    while length > 0:
        size = min(PIECE, length)
        yield source.randbytes(size)
        length -= size
