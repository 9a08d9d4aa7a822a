"""Says how many of its threads were at work at once: /?N waits until N requests are in here."""

import threading

LOCK = threading.Condition()
INSIDE = [0]
MOST = [0]


def application(environ, start_response):
    wanted = int(environ["QUERY_STRING"] or 1)
    with LOCK:
        INSIDE[0] += 1
        MOST[0] = max(MOST[0], INSIDE[0])
        LOCK.notify_all()
        LOCK.wait_for(lambda: MOST[0] >= wanted, timeout=5)
        INSIDE[0] -= 1
        body = f"{MOST[0]} {threading.current_thread().name}\n".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
