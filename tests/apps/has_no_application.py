"""Has callables, but none under a name that is looked for."""

from json import dumps  # noqa: F401  (imported: not an application of this module)


def create_app():
    from hello import application as made

    return made


def _private(environ, start_response):
    return []


class Helper:
    pass
