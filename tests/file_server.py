"""A server of files on the loopback address, with the faults of real ones."""

import hashlib
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Site(ThreadingHTTPServer):
    """Serve `files` by name with the headers `marks`, and record the Range headers sent so far (or None).

    A fault changes one response: a status, ``"drops"`` (stops after two thirds), ``"stalls"`` (waits there), ``"no
    ranges"`` (sends all), ``"redirects"`` (to the same file, with a long text). By default, the only mark is an ETag, a
    hash of the file.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.base, self.files, self.faults, self.requests = f"http://127.0.0.1:{self.server_port}", {}, [], []
        self.marks = None
        self.stall_s = 1.0
        self.sent_mb = 0  # of the text of a redirect


class Answer(BaseHTTPRequestHandler):
    log_message = print

    def do_GET(self):
        asked, fault = self.headers["Range"], self.server.faults.pop(0) if self.server.faults else ""
        self.server.requests.append(asked)
        if fault == "redirects":
            return self.redirect()
        content = self.server.files[self.path.strip("/")]
        marks = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"'} if self.server.marks is None else self.server.marks
        if fault == "no ranges":
            asked = None
        start = int(re.search(r"\d+", asked)[0]) if asked else 0
        status = fault if isinstance(fault, int) else 416 if start >= len(content) else 206 if start else 200
        self.send_response(status)
        content = content[start:] if status < 300 else b""
        for name, value in ({"Content-Length": str(len(content))} | marks).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[: len(content) * 2 // 3] if fault in ("drops", "stalls") else content)
        if fault == "stalls":
            time.sleep(self.server.stall_s)

    def redirect(self):
        self.send_response(302)
        self.send_header("Location", self.path)
        self.end_headers()
        with suppress(OSError):  # the client has closed the connection
            for _ in range(100):
                self.wfile.write(bytes(10**6))
                self.server.sent_mb += 1


@contextmanager
def serving() -> Iterator[Site]:
    """Run a server in a thread during the block."""
    with Site() as site:
        thread = threading.Thread(target=site.serve_forever, args=[0.01])
        thread.start()
        yield site
        site.shutdown()
        thread.join()
