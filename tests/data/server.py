"""A web server on the loopback address that fails in the ways of real ones, one request at a time."""

import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Site:
    """What is served by name, and what was asked: names with their Range header or None.

    The first requests for a name take a fault each, in order; then the file is served as it should be.
    """

    def __init__(self, base):
        self.base, self.files, self.faults, self.asked = base, {}, {}, []

    def put(self, name, content, *faults):
        """Serve a file, the first requests with these faults; returns its address."""
        self.files[name], self.faults[name] = content, list(faults)
        return f"{self.base}/{name}"

    def heal(self):
        self.faults.clear()
        self.asked.clear()


@contextmanager
def serving():
    """A site that lives as long as the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            name = self.path.rpartition("/")[2]
            site.asked.append((name, self.headers["Range"]))
            self.content, faults = site.files.get(name), site.faults.get(name)
            with suppress(BrokenPipeError, ConnectionResetError):  # the client has had enough
                (faults.pop(0) if faults else well)(self)

        def answer(self, status, body=b"", kind="application/octet-stream", cut=None):
            self.close_connection = True
            self.send_response(status)
            headers = {"Connection": "close", "Content-Length": len(body), "Content-Type": kind}
            if status == 416:
                headers["Content-Range"] = f"bytes */{len(self.content)}"
            for key, value in headers.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body[:cut])

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


def well(handler, cut=None, ranges=True):
    """The file, or the rest of it that was asked for."""
    if handler.content is None:
        return handler.answer(404)
    asked = handler.headers["Range"] if ranges else None
    start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
    if start and start >= len(handler.content):
        return handler.answer(416)
    return handler.answer(206 if asked else 200, handler.content[start:], cut=cut)


def drops(at):
    """Breaks off after so many bytes of the body."""
    return lambda handler: well(handler, cut=at)


def ignores_ranges(handler):
    well(handler, ranges=False)


def wrong_content(handler):
    """As many bytes, but others."""
    handler.answer(200, bytes(255 - byte for byte in handler.content))


def page(handler):
    """A web page, as a login page of a network answers everything."""
    handler.answer(200, b"<html>Log in!</html>", kind="text/html; charset=utf-8")


def status(number):
    return lambda handler: handler.answer(number)


def silent(handler):
    """Takes the request, and says nothing for a while."""
    time.sleep(1)
