"""Drive Firefox by WebDriver BiDi, which any Firefox has; Playwright's own Firefox has to be downloaded."""

import json
import re
import shutil
import subprocess
import threading
from contextlib import contextmanager

import pytest


@contextmanager
def open_in_firefox(page, profile):
    """Open a page in a Firefox without a window; yield a function that calls a function of the page and awaits it."""
    websocket = pytest.importorskip("websocket", reason="needs websocket-client, a part of JupyterLab")
    if not (program := shutil.which("firefox") or shutil.which("firefox-esr")):
        pytest.skip("needs Firefox")
    profile.mkdir()  # without it, Firefox waits for an answer
    command = [program, "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port=0"]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def call(method, **given):
        socket.send(json.dumps({"id": 0, "method": method, "params": given}))
        while "id" not in (answer := json.loads(socket.recv())):  # it also sends events
            pass
        assert answer["type"] == "success", answer
        return answer["result"]

    def evaluate(function, given=None):
        code, target = f"({function})({json.dumps(given)})", {"context": tab}
        answer = call("script.evaluate", expression=code, target=target, awaitPromise=True)
        assert answer["type"] == "success", answer
        return answer["result"].get("value")

    try:
        said = (re.search(r"WebDriver BiDi listening on (ws://\S+)", line) for line in running.stderr)
        address = next(found[1] for found in said if found)
        threading.Thread(target=running.stderr.read, daemon=True).start()  # a full pipe would stop it
        socket = websocket.create_connection(f"{address}/session", suppress_origin=True, timeout=300)
        call("session.new", capabilities={})
        tab = call("browsingContext.getTree")["contexts"][0]["context"]
        call("browsingContext.navigate", context=tab, url=page, wait="complete")
        yield evaluate
    finally:
        running.terminate()
        running.wait(timeout=30)
