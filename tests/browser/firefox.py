"""Drive Firefox by WebDriver BiDi, which any Firefox has; Playwright's own Firefox has to be downloaded."""

import json
import re
import shutil
import subprocess
import threading
from contextlib import contextmanager

import pytest


class Firefox:
    """A tab of Firefox without a window."""

    def __init__(self, address):
        websocket = pytest.importorskip("websocket", reason="needs websocket-client, a part of JupyterLab")
        self.socket = websocket.create_connection(f"{address}/session", suppress_origin=True, timeout=300)
        self.asked = 0
        self.call("session.new", capabilities={})
        (tab,) = self.call("browsingContext.getTree")["contexts"]
        self.tab = tab["context"]

    def call(self, method, **given):
        """Call a method of WebDriver BiDi and return its result."""
        self.asked += 1
        self.socket.send(json.dumps({"id": self.asked, "method": method, "params": given}))
        while (answer := json.loads(self.socket.recv())).get("id") != self.asked:
            pass
        assert answer["type"] == "success", answer
        return answer["result"]

    def goto(self, address):
        self.call("browsingContext.navigate", context=self.tab, url=address, wait="complete")

    def evaluate(self, function, given=None):
        """Call a function of one argument, or await its promise, and return its result as Playwright does."""
        code = f"Promise.resolve(({function})({json.dumps(given)})).then((found) => JSON.stringify(found ?? null))"
        answer = self.call("script.evaluate", expression=code, target={"context": self.tab}, awaitPromise=True)
        assert answer["type"] == "success", answer
        return json.loads(answer["result"]["value"])


@contextmanager
def start_firefox(profile):
    """Start Firefox with a new profile and yield a tab of it, or skip the test if it isn't installed."""
    if not (program := shutil.which("firefox") or shutil.which("firefox-esr")):
        pytest.skip("needs Firefox")
    profile.mkdir()  # without it, Firefox waits for an answer
    command = [program, "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port=0"]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        said = (re.search(r"WebDriver BiDi listening on (ws://\S+)", line) for line in running.stderr)
        address = next(found[1] for found in said if found)
        threading.Thread(target=running.stderr.read, daemon=True).start()  # a full pipe would stop it
        yield Firefox(address)
    finally:
        running.terminate()
        running.wait(timeout=30)
