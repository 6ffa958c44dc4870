"""A web server on the loopback address that fails in the ways of real ones, one request at a time."""

import re
import threading
from collections import defaultdict
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Site:
    """What is served, how each next request for it fails, and what was asked.

    `files` holds the content by name. `faults` holds, by name, an iterable of faults: each request takes the next one,
    and when there is none left, the file is served as it should be.
    """

    def __init__(self, base):
        self.base = base
        self.files = {}
        self.faults = {}
        self.asked = []  # (name, Range header or None)
        self.served = defaultdict(int)  # bytes of bodies by name
        self.over = threading.Event()

    def put(self, name, content, *faults):
        """Serve a file, the first requests with these faults; returns its address."""
        self.files[name] = content
        self.faults[name] = iter(faults)
        return f"{self.base}/{name}"

    def heal(self):
        self.faults.clear()
        self.asked.clear()
        self.served.clear()


@contextmanager
def serving():
    """A site that lives as long as the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            name = self.path.rpartition("/")[2]
            site.asked.append((name, self.headers["Range"]))
            self.close_connection = True
            self.name = name
            with suppress(BrokenPipeError, ConnectionResetError):  # the client has gone: killed, or had enough
                next(site.faults.get(name, iter(())), well)(self, site)

        def head(self, status, **headers):
            self.send_response(status)
            for key, value in ({"Connection": "close"} | headers).items():
                self.send_header(key.replace("_", "-"), value)
            self.end_headers()

        def body(self, content):
            site.served[self.name] += len(content)
            self.wfile.write(content)
            self.wfile.flush()

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

    server = Server(("127.0.0.1", 0), Handler)
    site = Site(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    try:
        yield site
    finally:
        site.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def well(handler, site, write=None, ranges=True):
    """The file, or the rest of it that was asked for."""
    content = site.files.get(handler.name)
    if content is None:
        return status(404)(handler, site)
    size, span = len(content), re.fullmatch(r"bytes=(\d+)-", handler.headers["Range"] or "")
    if not span or not ranges:
        handler.head(200, Content_Length=size)
    elif int(span[1]) >= size:
        return handler.head(416, Content_Range=f"bytes */{size}", Content_Length=0)
    else:
        content = content[int(span[1]) :]
        span = f"bytes {size - len(content)}-{size - 1}/{size}"
        handler.head(206, Content_Length=len(content), Content_Range=span)
    return (write or type(handler).body)(handler, content)


def drops(at, ranges=True):
    """Breaks off after so many bytes of the body."""
    return lambda handler, site: well(handler, site, lambda it, content: it.body(content[:at]), ranges)


def ignores_ranges(handler, site):
    well(handler, site, ranges=False)


def wrong_content(handler, site):
    """As many bytes, but others."""
    body = bytes(255 - byte for byte in site.files[handler.name])
    handler.head(200, Content_Length=len(body))
    handler.body(body)


def page(handler, site):
    """A web page, as a login page of a network answers everything."""
    handler.head(200, Content_Length=20, Content_Type="text/html; charset=utf-8")
    handler.body(b"<html>Log in!</html>")


def status(number):
    return lambda handler, site: handler.head(number, Content_Length=0)


def silent(handler, site):
    """Takes the request, and says nothing."""
    site.over.wait(20)


def hangs_up(handler, site):
    """Closes the connection instead of an answer."""


def babbles(handler, site):
    """Speaks no HTTP, and tries to colour the terminal of whoever shows it."""
    handler.wfile.write(b"\x1b[31mHTTP/9 hello\r\n\r\n")
