"""A guestbook: one form, one list.

Entries are kept in SQLite beside this file, or in the PostgreSQL that DATABASE_URL names. Each
request opens its own connection, so nothing is shared between processes or threads.
"""

import os
import sqlite3
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from flask import Flask, redirect, render_template, request, url_for

NAME_LIMIT = 60
TEXT_LIMIT = 1000
SHOWN = 100
DATABASE_URL = os.environ.get("DATABASE_URL", "")
DATABASE_FILE = Path(__file__).resolve().parent / "guestbook.db"

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 64 * 1024


class Sqlite:
    """Entries in one file. Writers wait for each other instead of failing."""

    def __init__(self, path):
        self.path = path

    @contextmanager
    def cursor(self):
        connection = sqlite3.connect(self.path, timeout=10)
        try:
            with connection:
                yield connection
        finally:
            connection.close()

    def prepare(self):
        with self.cursor() as cursor:
            cursor.execute("PRAGMA journal_mode = wal")
            cursor.execute(
                "CREATE TABLE IF NOT EXISTS entry (id INTEGER PRIMARY KEY,"
                " name TEXT NOT NULL, text TEXT NOT NULL, written TEXT NOT NULL)"
            )

    def add(self, name, text, written):
        with self.cursor() as cursor:
            cursor.execute(
                "INSERT INTO entry (name, text, written) VALUES (?, ?, ?)",
                (name, text, written.isoformat()),
            )

    def newest(self, count):
        with self.cursor() as cursor:
            rows = cursor.execute(
                "SELECT name, text, written FROM entry ORDER BY id DESC LIMIT ?", (count,)
            ).fetchall()
        return [(name, text, datetime.fromisoformat(written)) for name, text, written in rows]


class Postgres:
    """Entries in the database that a connection URL names."""

    def __init__(self, url):
        import psycopg

        self.connect = lambda: psycopg.connect(url, connect_timeout=5)

    def prepare(self):
        with self.connect() as connection:
            # Two processes that start at once would both find no table: one of them waits here.
            connection.execute("SELECT pg_advisory_xact_lock(7531)")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS entry (id BIGINT PRIMARY KEY"
                " GENERATED ALWAYS AS IDENTITY, name TEXT NOT NULL, text TEXT NOT NULL,"
                " written TIMESTAMPTZ NOT NULL)"
            )

    def add(self, name, text, written):
        with self.connect() as connection:
            connection.execute(
                "INSERT INTO entry (name, text, written) VALUES (%s, %s, %s)",
                (name, text, written),
            )

    def newest(self, count):
        with self.connect() as connection:
            return connection.execute(
                "SELECT name, text, written FROM entry ORDER BY id DESC LIMIT %s", (count,)
            ).fetchall()


entries = Postgres(DATABASE_URL) if DATABASE_URL else Sqlite(DATABASE_FILE)
entries.prepare()


@app.get("/")
def show():
    """The form, and the newest entries below it."""
    return page()


@app.post("/")
def write():
    """Keeps an entry, then shows the list at an address that can be loaded again."""
    name = request.form.get("name", "").strip()
    text = request.form.get("text", "").strip()
    problem = problem_with(name, text)
    if problem:
        return page(name, text, problem), 400
    entries.add(name, text, datetime.now(timezone.utc))
    return redirect(url_for("show"), code=303)


def page(name="", text="", problem=None):
    return render_template(
        "guestbook.html",
        entries=entries.newest(SHOWN),
        name=name,
        text=text,
        problem=problem,
        name_limit=NAME_LIMIT,
        text_limit=TEXT_LIMIT,
        process=os.getpid(),
    )


def problem_with(name, text):
    if not name or not text:
        return "Both a name and a few words, please."
    if len(name) > NAME_LIMIT or len(text) > TEXT_LIMIT:
        return f"At most {NAME_LIMIT} letters of name and {TEXT_LIMIT} of text, please."
    return None
