"""Takes its time.

/2.5 sleeps so many seconds; /busy/2.5 keeps the interpreter busy; /stuck/2.5 holds it in C.
"""

import time


def busy(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def stuck(seconds):
    # One call of C code that never lets go of the interpreter.
    sum(range(int(seconds * 30_000_000)))


def application(environ, start_response):
    *kind, seconds = environ["PATH_INFO"].strip("/").split("/")
    act = {"busy": busy, "stuck": stuck}.get(kind[0] if kind else "", time.sleep)
    act(float(seconds or 0))
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"slow\n"]
