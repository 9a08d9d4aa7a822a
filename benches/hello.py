"""The smallest application, bare and in Flask."""

BODY = b"Hello, world!\n"


def bare(environ, start_response):
    """Fourteen bytes by PEP 3333."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(BODY)))])
    return [BODY]


def flask():
    """The same in Flask."""
    from flask import Flask

    app = Flask(__name__)

    @app.get("/")
    def hello():
        return BODY.decode(), {"Content-Type": "text/plain"}

    return app


try:
    in_flask = flask()
except ImportError:
    in_flask = None
