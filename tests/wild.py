#!/usr/bin/env python3
"""tests/wild.py FOLDER: reads every nginx file of a folder with liege and with nginx, and compares.

A fragment is wrapped in the blocks that it was written for. What keeps nginx from reading a file on
this machine (a missing certificate, host, user, include) is replaced in the text that both then
read. A file is misread when nginx accepts it and liege refuses it for anything but a directive that
it does not implement yet, or when liege accepts what nginx refuses.
"""

import argparse
import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 10
ADAPTATIONS = 60

# Where a fragment belongs, by the directives that stand outermost in it.
OUTERMOST = {"events", "http", "user", "worker_processes", "load_module", "pid", "daemon"}
IN_HTTP = {
    "server", "upstream", "map", "geo", "log_format", "types", "split_clients", "limit_req_zone",
    "limit_conn_zone", "proxy_cache_path", "uwsgi_cache_path", "fastcgi_cache_path",
    "server_names_hash_bucket_size", "types_hash_max_size", "variables_hash_max_size",
    "map_hash_bucket_size", "resolver_timeout", "default_type",
}  # fmt: skip
WRAPPERS = {
    "main": "{}",
    "events": "events {{ }}\n{}",
    "http": "events {{ }} http {{\n{}\n}}",
    "server": "events {{ }} http {{ server {{\n{}\n}} }}",
    "location": "events {{ }} http {{ server {{ location / {{\n{}\n}} }} }}",
}

NOT_YET = re.compile(r"liege does not implement .* yet")
# Refusals that are about this machine, not about the text.
HERE = re.compile(
    r"\(\d+: [A-Z]|host not found|getpwnam|getgrnam|bind\(\)|cannot load certificate"
    r"|no resolver|mkdir\(\)|still could not bind|BIO_|PEM_|SSL_"
)
# Refusals that depend on how this nginx was built, or on how old it is.
BUILT = re.compile(
    r'unknown directive|the "[a-z0-9]+" parameter requires|requires OpenSSL|invalid parameter'
    r"|protocol requires|dlopen\(\)|is unsupported on this platform"
)


def main():
    options = arguments()
    counts, notes = collections.Counter(), []
    for file in sorted(p for p in options.folder.rglob("*") if p.is_file()):
        with tempfile.TemporaryDirectory(prefix="liege-wild-") as prefix:
            verdict, note = compare(file, Path(prefix), options)
        counts[verdict] += 1
        if verdict not in ("accepted", "not yet", "refused by both") or options.verbose:
            notes.append(f"{verdict}: {file.name}: {note}")
    print("\n".join(notes))
    print(f"\n{sum(counts.values())} files")
    for verdict, count in sorted(counts.items(), key=lambda item: -item[1]):
        print(f"{count:6}  {verdict}")
    sys.exit(bool(counts["MISREAD"] + counts["PANIC"] + counts["HANG"]))


def compare(file, prefix, options):
    """One word for what became of a file, and the messages behind it."""
    text = file.read_bytes().decode("latin-1")
    judged, text, said = (
        adapted(text, prefix, options) if options.nginx else (None, first_wrap(text), "")
    )
    status, errors = run(options.liege, text, prefix)
    if status == "ended":
        return status_word(errors), errors[-1][:200]
    other = [e for e in errors if not NOT_YET.search(e)]
    shown = (other or errors or [""])[0] + (f"  (nginx: {said})" if said else "")
    if status == "accepted":
        if judged == "refused" and not BUILT.search(said):
            return "MISREAD", f"accepted, but nginx: {said}"
        return ("accepted" if judged != "here" else "accepted, nginx not to be asked"), shown
    if not other:
        return "not yet", shown
    if all(HERE.search(e) for e in other):
        return "refused for this machine", shown
    if judged == "accepted":
        return "MISREAD", shown
    return ("refused by both" if judged == "refused" else "refused, nginx not to be asked"), shown


def status_word(errors):
    return "HANG" if errors == ["hang"] else "PANIC"


def run(program, text, prefix):
    """What `-t` makes of a text: accepted, refused, or ended otherwise; and its error messages."""
    conf = prefix / "conf"
    for folder in [conf, prefix / "logs"]:
        folder.mkdir(exist_ok=True)
    (conf / "wild.conf").write_bytes(text.encode("latin-1"))
    for name in ["mime.types", "uwsgi_params"]:
        shutil.copy(ROOT / "conf" / name, conf)
    command = [*apart(), program, "-t", "-p", f"{prefix}/", "-c", "conf/wild.conf"]
    try:
        ran = subprocess.run(command, capture_output=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return "ended", ["hang"]
    said = ran.stderr.decode("latin-1")
    errors = re.findall(r"\[(?:emerg|alert|crit)\] (?:\d+#\d+: )?(.*)", said)
    if ran.returncode not in (0, 1) or "panicked" in said or (ran.returncode == 1 and not errors):
        return "ended", [f"status {ran.returncode}: {said.strip()}"]
    return ("refused" if ran.returncode else "accepted"), errors


def apart():
    """A network of its own, where that can be had: nothing is bound, no name is looked up."""
    for words in (["unshare", "-n"], ["unshare", "-rn"]):
        if subprocess.run([*words, "true"], capture_output=True).returncode == 0:
            return words
    return []


def adapted(text, prefix, options):
    """nginx's judgement of the best wrapping, and the text without this machine's obstacles."""
    first = None
    for wrapper in wrappings(text):
        tried = WRAPPERS[wrapper].format(text)
        for _ in range(ADAPTATIONS):
            status, errors = run(options.nginx, tried, prefix)
            if status == "accepted":
                return "accepted", tried, ""
            changed = without_obstacle(tried, errors[-1], prefix)
            if changed == tried:
                break
            tried = changed
        judged = "here" if HERE.search(errors[-1]) or status == "ended" else "refused"
        if "not allowed here" not in errors[-1]:
            return judged, tried, errors[-1]
        first = first or (judged, tried, errors[-1])
    return first


def without_obstacle(text, message, prefix):
    """The text with the one thing replaced that nginx could not find on this machine."""
    if 'no "events" section' in message:
        return text + "\nevents { }\n"
    if found := re.match(r'host not found in upstream "([^":/]+)', message):
        return re.sub(rf"(?<![\w.$-]){re.escape(found[1])}(?![\w.-])", "127.0.0.1", text)
    if found := re.match(r'unknown log format "(.*?)"', message):
        return in_http(text, f"log_format {found[1]} '$remote_addr';")
    if found := re.match(r'no port in upstream "(.*?)"', message):
        return in_http(text, f"upstream {found[1]} {{ server 127.0.0.1:1; }}")
    if found := re.match(r'getpwnam\("(.*?)"\)|getgrnam\("(.*?)"\)', message):
        return re.sub(r"(?m)^(\s*user)\s[^;]*;", r"\1 root root;", text, count=1)
    if found := re.match(r'cannot load certificate(?: key)? "(.*?)"', message):
        return swap(text, found[1], prefix, certificate(prefix))
    if found := re.match(r'open\(\) "(.*?)" failed', message):
        empty = prefix / "empty"
        empty.touch()
        return swap(text, found[1], prefix, empty)
    if found := re.match(r'(?:mkdir|BIO_new_file)\(\)? ?"(.*?)"|BIO_new_file\("(.*?)"\)', message):
        return swap(text, found[1] or found[2], prefix, prefix / "made")
    return text


def in_http(text, directive):
    """The text with a directive put at the head of its http block."""
    return re.sub(
        r"(?m)^((?:events \{ \} )?http\s*\{)", lambda m: f"{m[1]} {directive}", text, count=1
    )


def swap(text, path, prefix, other):
    """Replaces a path, which nginx names in full, as the text may have written it."""
    for written in [path, path.removeprefix(f"{prefix}/conf/"), path.removeprefix(f"{prefix}/")]:
        if written in text:
            return text.replace(written, str(other))
    return text


def certificate(prefix):
    """A self-signed certificate and its key in one file."""
    file = prefix / "certificate.pem"
    if not file.exists():
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost",
             "-keyout", prefix / "key.pem", "-out", file],
            capture_output=True,
            check=True,
        )  # fmt: skip
        file.write_bytes(file.read_bytes() + (prefix / "key.pem").read_bytes())
    return file


def wrappings(text):
    """The names of the wrappers that may suit, the likeliest first."""
    names = set(outermost_names(text))
    if names & {"http", "events"}:
        return ["main"]
    if names & IN_HTTP:
        return ["http", "server", "main", "location"]
    if names & OUTERMOST:
        return ["events"]
    return ["server", "location", "http", "events"]


def first_wrap(text):
    return WRAPPERS[wrappings(text)[0]].format(text)


def outermost_names(text):
    """The first word of each directive that stands in no block."""
    # A brace ends a word only as the first letter of the next one, or when it opens a block.
    bare = r"(?:\\.|\$\{|[^\s{};])(?:\\.|\$\{|[^\s{;])*"
    words = r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|#[^\n]*|[{};]|' + bare
    depth, fresh = 0, True
    for word in re.findall(words, text):
        if word.startswith("#"):
            continue
        if word in ("{", "}"):
            depth += 1 if word == "{" else -1
            fresh = True
        elif word == ";":
            fresh = True
        else:
            if fresh and depth == 0:
                yield word
            fresh = False


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--verbose", action="store_true", help="a line for every file")
    options = parser.parse_args()
    options.liege = os.environ.get("LIEGE", ROOT / "target/release/liege")
    options.nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    if not options.nginx:
        print("nginx is not here: what liege refuses is not compared")
    return options


if __name__ == "__main__":
    main()
