"""Answers in the ways that PEP 3333 knows beside a list: write(), exc_info, files, no length."""

import io
import os
import sys
import tempfile

TEXT = [("Content-Type", "text/plain")]


def by_write(environ, start_response):
    write = start_response("200 OK", TEXT)
    write(b"written, ")
    write(b"and written, ")
    return [b"and returned\n"]


def replaced(environ, start_response):
    start_response("200 OK", TEXT)
    try:
        raise ValueError("changed my mind")
    except ValueError:
        start_response("503 Service Unavailable", TEXT, sys.exc_info())
    return [b"replaced\n"]


def too_late(environ, start_response):
    write = start_response("200 OK", TEXT)
    write(b"begun\n")
    try:
        raise ValueError("too late to change my mind")
    except ValueError:
        start_response("500 Oops", TEXT, sys.exc_info())
    return [b"never sent\n"]


def a_file(environ, start_response):
    file = tempfile.TemporaryFile()
    file.write(b"0123456789" * 100_000)
    file.seek(10)
    file.read(5)
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](file, 4096)


def a_part(environ, start_response):
    file = tempfile.TemporaryFile()
    file.write(b"0123456789" * 10)
    file.seek(3)
    start_response("206 Partial Content", TEXT + [("Content-Length", "4")])
    return environ["wsgi.file_wrapper"](file)


def no_real_file(environ, start_response):
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](io.BytesIO(b"in memory " * 1000), 100)


def a_pipe(environ, start_response):
    reader, writer = os.pipe()
    os.write(writer, b"through a pipe\n")
    os.close(writer)
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](os.fdopen(reader, "rb"))


def no_length(environ, start_response):
    start_response("200 OK", TEXT)
    return iter([b"", b"one ", b"", b"two\n"])


def one_piece(environ, start_response):
    start_response("200 OK", TEXT)
    return (b"length is added\n",)


def no_body(environ, start_response):
    start_response("204 No Content", [])
    return [b"must not be sent"]


def unchanged(environ, start_response):
    start_response("304 Not Modified", [("ETag", '"x"')])
    return []


def empty(environ, start_response):
    start_response("200 OK", TEXT)
    return iter(())


def bytes_alone(environ, start_response):
    start_response("200 OK", TEXT)
    return b"a bytes object\n"


def latin1(environ, start_response):
    start_response("200 \xd6k", TEXT + [("X-Name", "Gr\xfc\xdfe")])
    return [b"\xfc\n"]


def several_cookies(environ, start_response):
    start_response("200 OK", TEXT + [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    return [b"two\n"]


def hop_by_hop(environ, start_response):
    start_response("200 OK", TEXT + [("Connection", "keep-alive"), ("Transfer-Encoding", "x")])
    return [b"clean\n"]


def too_much(environ, start_response):
    start_response("200 OK", TEXT + [("Content-Length", "4")])
    return iter([b"fo", b"ur but more"])


def application(environ, start_response):
    return globals()[environ["PATH_INFO"].strip("/")](environ, start_response)
