"""hello under the standard library's own judge of servers."""

from wsgiref.validate import validator


def plain(environ, start_response):
    body = environ["wsgi.input"].read(10)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"valid ", body, b"\n"]


application = validator(plain)
