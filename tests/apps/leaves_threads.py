"""Starts a thread and opens a socket at import: what no fork keeps alive.

Each answer says whether this worker has the thread.
"""

import socket
import threading
import time

BEATS = [0]
LINE = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def beat():
    while True:
        BEATS[0] += 1
        time.sleep(0.01)


threading.Thread(target=beat, name="heart", daemon=True).start()


def application(environ, start_response):
    before = BEATS[0]
    time.sleep(0.1)
    body = b"alive\n" if BEATS[0] > before else b"dead\n"
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
