#!/usr/bin/env python3
"""The examples under a headless Chromium: what a visitor sees, and that a visitor notices neither a
killed worker nor a reload."""

import base64
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from running import AS_ROOT, LIMIT, VENV, Failed, example, expect, fetch, kill, run, within
from webdriver import Browser

PASSWORD = "a-lantern-in-the-window"


def guestbook_with_sqlite():
    with example("guestbook") as liege:
        visit_guestbook(liege)


def guestbook_with_postgresql():
    if not postgresql_programs():
        return "left out: PostgreSQL is not here (apt-get install postgresql)"
    with postgresql() as url:
        with example("guestbook", environment={"DATABASE_URL": url}) as liege:
            visit_guestbook(liege)
            if list(liege.prefix.glob("guestbook.db*")):
                raise Failed("the entries went to SQLite, not to DATABASE_URL")
    return None


def django_admin():
    with example("django", prepare=set_up_django) as liege, Browser() as browser:
        browser.open(liege.url("/admin/"))
        browser.type("#id_username", "keeper")
        browser.type("#id_password", PASSWORD)
        browser.click("input[type=submit]")
        within(
            LIMIT, lambda: "KEEPER" in browser.text("#user-tools").upper(), "the admin's own page"
        )
        styled = browser.evaluate(
            "getComputedStyle(document.querySelector('#header')).backgroundColor"
        )
        expect(
            styled not in ("", "rgba(0, 0, 0, 0)"), "the admin's style sheet is in force", styled
        )
        keep_screenshot(browser, "django-admin")
        before = liege.pids("app depot worker")
        replace_workers(liege, "app depot worker")
        expect(before != liege.pids("app depot worker"), "other workers", before)
        browser.open(liege.url("/admin/shelf/parcel/"))
        expect("parcel" in browser.text("#content").lower(), "the session outlives the workers", "")
        sheet = fetch(liege.url("/static/admin/css/base.css"))
        expect(
            sheet.status == 200 and "ETag" in sheet.headers,
            "a style sheet with an ETag",
            sheet.status,
        )


def visit_guestbook(liege):
    """Page, style sheet and picture show; an entry stays whatever becomes of the workers."""
    with Browser() as browser:
        browser.open(liege.url())
        paper = browser.evaluate("getComputedStyle(document.body).backgroundColor")
        expect(paper == "rgb(251, 247, 239)", "the style sheet is in force", paper)
        width = browser.evaluate("document.querySelector('header img').naturalWidth")
        expect(width == 72, "the picture shows", width)

        sign(browser, "Ada", "First words.")
        expect("First words." in browser.text(".entries"), "a posted entry appears", "")
        replace_workers(liege, "app guestbook worker")
        browser.open(liege.url())
        expect("First words." in browser.text(".entries"), "it survives kill -9 of all workers", "")

        before = liege.pids("app guestbook")
        liege.signal(signal.SIGHUP)
        within(
            LIMIT,
            lambda: (
                liege.pids("app guestbook worker")
                and not set(before) & set(liege.pids("app guestbook"))
            ),
            "a new generation after SIGHUP",
        )
        browser.open(liege.url())
        expect("First words." in browser.text(".entries"), "it survives a reload", "")
        sign(browser, "Grace", "Second words.")
        expect(browser.text(".entries").index("Second") == 0, "the newest entry comes first", "")
        keep_screenshot(browser, "guestbook")


def sign(browser, name, words):
    browser.type("input[name=name]", name)
    browser.type("textarea[name=text]", words)
    browser.click("button")
    # The page is on its way: an empty book has no list yet.
    shown = "(document.querySelector('.entries') || document.body).innerText"
    within(LIMIT, lambda: words in browser.evaluate(shown), f"{words!r} in the list")


def replace_workers(liege, title):
    """Kills every worker, and returns when others answer."""
    killed = liege.pids(title)
    expect(killed, f"there are processes called {title}", killed)
    for pid in killed:
        kill(pid)
    within(
        LIMIT, lambda: len(set(liege.pids(title)) - set(killed)) >= len(killed), "their successors"
    )
    within(LIMIT, lambda: fetch(liege.url()).status == 200, "an answer of theirs")


def set_up_django(prefix):
    environment = {**os.environ, "DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    for words in [
        "migrate -v0",
        "collectstatic --no-input -v0",
        "createsuperuser --no-input --username keeper --email keeper@example.org",
    ]:
        command = [VENV / "bin/python", "manage.py", *words.split()]
        subprocess.run(command, cwd=prefix, env=environment, check=True, stdout=subprocess.DEVNULL)


def postgresql_programs():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@contextmanager
def postgresql():
    """A database cluster of its own, reached by a socket in its folder only."""
    programs = postgresql_programs()
    with tempfile.TemporaryDirectory(prefix="liege-postgresql-") as folder:
        # PostgreSQL refuses to run as root.
        owner = {"user": "postgres", "group": "postgres", "extra_groups": []} if AS_ROOT else {}
        if AS_ROOT:
            ids = pwd.getpwnam("postgres")
            os.chown(folder, ids.pw_uid, ids.pw_gid)
        data = f"{folder}/data"
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync"],
            check=True, stdout=subprocess.DEVNULL, cwd=folder, **owner,
        )  # fmt: skip
        with open(f"{folder}/output.log", "wb") as output:
            server = subprocess.Popen(
                [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-F"],
                stdout=output, stderr=output, cwd=folder, **owner,
            )  # fmt: skip
        try:
            ready = [programs / "pg_isready", "-q", "-h", folder]
            within(LIMIT, lambda: subprocess.run(ready).returncode == 0, "PostgreSQL")
            yield f"postgresql://postgres@/postgres?host={folder}"
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(LIMIT)


def keep_screenshot(browser, name):
    """Leaves what the visitor saw in the folder that SCREENSHOTS names, where it is set."""
    if folder := os.environ.get("SCREENSHOTS"):
        Path(folder, f"{name}.png").write_bytes(base64.b64decode(browser.screenshot()))


if __name__ == "__main__":
    if not shutil.which("chromium") or not shutil.which("chromedriver"):
        print("browser.py: left out: apt-get install chromium chromium-driver", file=sys.stderr)
        sys.exit(0)
    run("browser", [guestbook_with_sqlite, guestbook_with_postgresql, django_admin])
