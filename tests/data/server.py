"""A web server on the loopback address that fails as real ones do."""

import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Site:
    """Files by name, and the requests so far: names with their Range header or None.

    A fault changes one answer: a status, ``"drops"`` (stops after two thirds), ``"no ranges"`` (sends the whole file).
    """

    def __init__(self, base):
        self.base, self.files, self.faults, self.requests = base, {}, [], []

    def answer(self, name, asked):
        """Status, bytes, and how many of them are sent."""
        fault = self.faults.pop(0) if self.faults else ""
        if isinstance(fault, int) or name not in self.files:
            return fault or 404, b"", 0
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and fault != "no ranges" else 0
        if start >= len(self.files[name]):
            return 416, b"", 0
        content = self.files[name][start:]
        return 206 if start else 200, content, len(content) * 2 // 3 if fault == "drops" else len(content)


@contextmanager
def serving():
    """A site that lives as long as the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.rpartition("/")[2]
            site.requests.append((name, self.headers["Range"]))
            status, content, count = site.answer(name, self.headers["Range"])
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            if status == 416:
                self.send_header("Content-Range", f"bytes */{len(site.files[name])}")
            self.end_headers()
            with suppress(BrokenPipeError, ConnectionResetError):
                self.wfile.write(content[:count])

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site = Site(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
