"""Fails in every way that an application can."""

TEXT = [("Content-Type", "text/plain")]


class Closes(list):
    """A body whose close() is seen in the log; /closes-badly has one that fails."""

    def __init__(self, body, errors, fails=False):
        super().__init__(body)
        self.errors = errors
        self.fails = fails

    def close(self):
        self.errors.write("raises: closed\n")
        self.errors.flush()
        if self.fails:
            raise OSError("close failed")


def generator(before):
    yield from before
    raise KeyError("in the middle of the body")


def at_once(environ, start_response):
    raise ValueError("before start_response")


def after_start(environ, start_response):
    start_response("200 OK", TEXT)
    raise ValueError("after start_response")


def first_item(environ, start_response):
    start_response("200 OK", TEXT)
    return generator([])


def in_the_middle(environ, start_response):
    start_response("200 OK", TEXT)
    return generator([b"half of "])


def in_the_middle_with_length(environ, start_response):
    start_response("200 OK", TEXT + [("Content-Length", "1000")])
    return generator([b"half of "])


def too_little(environ, start_response):
    start_response("200 OK", TEXT + [("Content-Length", "1000")])
    return [b"not a thousand"]


def exits(environ, start_response):
    raise SystemExit(3)


def nothing(environ, start_response):
    start_response("200 OK", TEXT)


def never_started(environ, start_response):
    return [b"no head"]


def text(environ, start_response):
    start_response("200 OK", TEXT)
    return Closes(["str, not bytes", "twice"], environ["wsgi.errors"])


def injects(environ, start_response):
    start_response("200 OK", TEXT + [("X-Evil", "a\r\nSet-Cookie: x=1")])
    return [b"no"]


def injects_status(environ, start_response):
    start_response("200 OK\r\nX: y", TEXT)
    return [b"no"]


def bytes_headers(environ, start_response):
    start_response("200 OK", [(b"Content-Type", b"text/plain")])
    return [b"no"]


def number_status(environ, start_response):
    start_response(200, TEXT)
    return [b"no"]


def starts_twice(environ, start_response):
    start_response("200 OK", TEXT)
    start_response("404 Not Found", TEXT)
    return [b"no"]


def outside_latin1(environ, start_response):
    start_response("200 OK", TEXT + [("X-Name", "\u20ac")])
    return [b"no"]


def closes_badly(environ, start_response):
    start_response("200 OK", TEXT + [("Content-Length", "5")])
    return Closes([b"fi", b"ne\n"], environ["wsgi.errors"], fails=True)


def deep(environ, start_response):
    return deep(environ, start_response)


def application(environ, start_response):
    name = environ["PATH_INFO"].strip("/").replace("-", "_")
    return globals()[name](environ, start_response)
