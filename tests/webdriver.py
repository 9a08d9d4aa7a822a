"""A headless Chromium, driven over the WebDriver protocol."""

import json
import re
import subprocess
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from running import LIMIT, Failed, within

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
]  # fmt: skip
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Browser:
    """One browser with a profile of its own; use it in a `with` block."""

    def __enter__(self):
        self.profile = tempfile.TemporaryDirectory(
            prefix="liege-chromium-", ignore_cleanup_errors=True
        )
        self.said = Path(self.profile.name, "chromedriver.log")
        with open(self.said, "wb") as output:
            self.driver = subprocess.Popen(
                ["chromedriver", "--port=0"], stdout=output, stderr=subprocess.STDOUT
            )
        try:
            return self.begin()
        except BaseException:
            self.end()
            raise

    def begin(self):
        self.base = f"http://127.0.0.1:{within(LIMIT, self.port, 'a chromedriver that listens')}"
        arguments = [*FLAGS, f"--user-data-dir={self.profile.name}/profile"]
        options = {"browserName": "chrome", "goog:chromeOptions": {"args": arguments}}
        session = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": options}})
        self.base += f"/session/{session['sessionId']}"
        return self

    def __exit__(self, *_):
        try:
            self.ask("DELETE", "", None)
        finally:
            self.end()

    def end(self):
        self.driver.terminate()
        self.driver.wait(LIMIT)
        self.profile.cleanup()

    def port(self):
        found = re.search(rb"successfully on port (\d+)", self.said.read_bytes())
        return int(found[1]) if found else None

    def ask(self, method, path, value):
        data = None if value is None else json.dumps(value).encode()
        request = urllib.request.Request(self.base + path, data, method=method)
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as refused:
            raise Failed(
                f"browser: {json.load(refused)['value']['message'].splitlines()[0]}"
            ) from None

    def open(self, url):
        self.ask("POST", "/url", {"url": url})

    def find(self, selector):
        found = self.ask("POST", "/element", {"using": "css selector", "value": selector})
        return f"/element/{found[ELEMENT]}"

    def type(self, selector, text):
        self.ask("POST", f"{self.find(selector)}/value", {"text": text})

    def click(self, selector):
        self.ask("POST", f"{self.find(selector)}/click", {})

    def text(self, selector):
        return self.ask("GET", f"{self.find(selector)}/text", None)

    def evaluate(self, script):
        return self.ask("POST", "/execute/sync", {"script": f"return {script}", "args": []})

    def screenshot(self):
        """The page as a PNG in base64."""
        return self.ask("GET", "/screenshot", None)
