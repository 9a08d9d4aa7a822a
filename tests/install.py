#!/usr/bin/env python3
"""`make install` puts every file in its place and keeps what the operator changed, and `liege -t`
accepts the installed configuration with its example site.
"""

import os
import re
import shutil
import stat
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

from running import AS_ROOT, BINARY, ROOT, Failed, run

INSTALLED = """
usr/sbin/liege
usr/share/man/man8/liege.8
usr/share/man/man5/liege.conf.5
usr/share/doc/liege/README.md
usr/share/doc/liege/LICENSE-MIT
usr/share/doc/liege/LICENSE-APACHE
usr/lib/systemd/system/liege.service
usr/lib/systemd/system/liege.socket
usr/lib/sysusers.d/liege.conf
usr/lib/tmpfiles.d/liege.conf
etc/liege/liege.conf
etc/liege/mime.types
etc/liege/uwsgi_params
etc/liege/apps.d/blog.conf.example
etc/liege/sites-available/blog.conf
etc/logrotate.d/liege
""".split()


def the_installation_is_whole():
    with installed() as root:
        missing = [path for path in INSTALLED if not (root / path).is_file()]
        if missing:
            raise Failed(f"not installed: {' '.join(missing)}")
        for path in ["usr/lib/systemd/system/liege.service", "etc/logrotate.d/liege"]:
            if "/usr/sbin/liege" not in (root / path).read_text():
                raise Failed(f"{path} does not name the installed binary")
        if not (root / "usr/sbin/liege").stat().st_mode & stat.S_IXUSR:
            raise Failed("the binary is not executable")
        if os.readlink(root / "var/lib/liege/logs") != "/var/log/liege":
            raise Failed("var/lib/liege/logs does not lead to /var/log/liege")


def a_second_installation_keeps_what_the_operator_changed():
    with installed() as root:
        conf = root / "etc/liege/liege.conf"
        conf.write_text("# mine\n")
        install(root)
        if conf.read_text() != "# mine\n":
            raise Failed("make install wrote over etc/liege/liege.conf")


def the_installed_configuration_is_accepted():
    with installed() as root:
        etc = root / "etc/liege"
        (etc / "sites-enabled/blog.conf").symlink_to(etc / "sites-available/blog.conf")
        shutil.copy(etc / "apps.d/blog.conf.example", etc / "apps.d/blog.conf")
        site = root / "srv/blog"
        (site / "static").mkdir(parents=True)
        (site / "blog").mkdir()
        # The same words in a folder of their own: paths, the user, and a port that anyone may have.
        for file in [
            etc / "liege.conf",
            etc / "apps.d/blog.conf",
            etc / "sites-available/blog.conf",
        ]:
            text = file.read_text()
            text = re.sub(r"(?<=\s)/(?=(?:var|run|srv)/)", f"{root}/", text)
            text = re.sub(r"(?m)^user .*$", "user root;" if AS_ROOT else "", text)
            file.write_text(text.replace("listen      80 ", "listen 127.0.0.1:8080 "))
        (root / "run/liege").mkdir(parents=True)
        accepted(root / "var/lib/liege", etc / "liege.conf")


def accepted(prefix, conf):
    """`liege -t` says nginx's two lines, and nothing else."""
    command = [BINARY, "-t", "-p", prefix, "-c", conf]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    said = ran.stdout + ran.stderr
    lines = [
        f"liege: the configuration file {conf} syntax is ok",
        f"liege: configuration file {conf} test is successful",
    ]
    if ran.returncode != 0 or said.splitlines()[-2:] != lines or "[" in said.splitlines()[0]:
        raise Failed(f"{conf}: exit {ran.returncode}\n{said}")


@contextmanager
def installed():
    with tempfile.TemporaryDirectory(prefix="liege-install-") as folder:
        install(folder)
        yield Path(folder)


def install(root):
    command = [
        "make",
        "--no-print-directory",
        "--silent",
        "install",
        f"DESTDIR={root}",
        "PREFIX=/usr",
    ]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if ran.returncode:
        raise Failed(f"make install: {ran.stderr}")


if __name__ == "__main__":
    run(
        "install",
        [
            the_installation_is_whole,
            a_second_installation_keeps_what_the_operator_changed,
            the_installed_configuration_is_accepted,
        ],
    )
