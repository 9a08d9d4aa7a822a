"""Streams.

/count/N pieces as they come, /big/N MiB of a known pattern, /endless until the client leaves.
"""

import time

PIECE = bytes(range(256)) * 256  # 64 KiB


class Pieces:
    """An iterable whose close() is seen in the log."""

    def __init__(self, pieces, errors):
        self.pieces = iter(pieces)
        self.errors = errors

    def __iter__(self):
        return self.pieces

    def close(self):
        self.errors.write("streams: closed\n")
        self.errors.flush()


def count(number):
    for n in range(number):
        yield b"piece %d\n" % n
        time.sleep(0.05)


def endless():
    while True:
        yield PIECE


def application(environ, start_response):
    _, what, *rest = environ["PATH_INFO"].split("/")
    number = int(rest[0]) if rest else 3
    headers = [("Content-Type", "application/octet-stream")]
    if what == "big":
        headers.append(("Content-Length", str(number << 20)))
        pieces = (PIECE for _ in range(number * 16))
    elif what == "endless":
        pieces = endless()
    else:
        pieces = count(number)
    start_response("200 OK", headers)
    return Pieces(pieces, environ["wsgi.errors"])
