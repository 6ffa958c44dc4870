"""One question to one server, and what its answer is worth: the part of a download that can go wrong on the way."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import responses

import requests
import urllib3

import srlab
from srlab.base.disk import amount

BLOCK = 1 << 18  # bytes read at a time, at most
PASSING_STATUS = (408, 429, *range(500, 600))
HEADERS = {"Accept-Encoding": "identity", "User-Agent": f"srlab/{srlab.__version__}"}


class MirrorError(Exception):
    """What a mirror did wrong, as words that follow its address."""


class PassingError(MirrorError):
    """The same, where another attempt may help; `pause_s` is how long the server asks to wait."""

    def __init__(self, words: str, pause_s: float = 0.0) -> None:
        super().__init__(words)
        self.pause_s = pause_s


@dataclass(frozen=True)
class Patience:
    """How long to bear with a slow or failing server.

    Attributes
    ----------
    connect_s
        Seconds to connect.
    read_s
        Seconds without a single byte.
    window_s, least_rate
        Over each window of so many seconds at least this many bytes a second must arrive.
    attempts
        In a row that bring next to nothing, before the mirror is given up.
    pause_s
        Seconds before the second attempt; doubled before each further one.
    """

    connect_s: float = 15.0
    read_s: float = 30.0
    window_s: float = 60.0
    least_rate: float = 5000.0
    attempts: int = 4
    pause_s: float = 1.0


PATIENCE = Patience()


@dataclass(frozen=True)
class Version:
    """What a server says of the file it serves: two answers with the same version are halves of the same file."""

    url: str
    etag: str | None
    modified: str | None
    total: int | None  # bytes

    def continues(self, begun: "Version", hash_known: bool) -> bool:
        """Whether bytes of this version fit behind those of the one that a download began with."""
        if None not in (self.total, begun.total) and self.total != begun.total:
            return False
        if hash_known and begun.url != self.url:
            return True  # another mirror has tags of its own, and the hash decides in the end
        same = (self.etag, self.modified) == (begun.etag, begun.modified)
        return same and bool(hash_known or begun.etag or begun.modified)


class Answer:
    """A server's answer to the request for a file, or for the rest of one.

    Parameters
    ----------
    url
        That was asked.
    response
        With the body still on its way.
    patience
        With the body.
    """

    def __init__(self, url: str, response: requests.Response, patience: Patience) -> None:
        headers = response.headers
        span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", ""))
        self.whole = response.status_code == 200
        self.start = _number(span[1]) if span and response.status_code == 206 else None  # of the rest, in bytes
        length = headers.get("Content-Length", "") if self.whole else span[2] if span else ""
        total = None if "chunked" in headers.get("Transfer-Encoding", "") and self.whole else _number(length)
        self.version = Version(url, headers.get("ETag"), headers.get("Last-Modified"), total)
        self.blocks = self._blocks(response, patience)
        first = next(self.blocks, b"") if self.whole else b""
        if self.whole and ("text/html" in headers.get("Content-Type", "") or _is_html(first)):
            raise MirrorError("serves a web page instead of the file (a login page of the network, or a moved file)")
        self.first = first

    def body(self) -> Iterator[bytes]:
        """The bytes as they arrive.

        Raises
        ------
        PassingError
            The connection drops, falls silent or crawls.
        """
        if self.first:
            yield self.first
        yield from self.blocks

    @staticmethod
    def _blocks(response: requests.Response, patience: Patience) -> Iterator[bytes]:
        began, count = time.monotonic(), 0
        while True:
            try:
                # What is there: read() would wait for a full block, and a trickle never fills one.
                block = response.raw.read1(BLOCK, decode_content=False)
            except urllib3.exceptions.ReadTimeoutError as error:
                raise PassingError(f"sent nothing for {patience.read_s:g} s") from error
            except urllib3.exceptions.HTTPError as error:
                raise PassingError("dropped the connection") from error
            if not block:
                return
            yield block
            count += len(block)
            elapsed = time.monotonic() - began
            if elapsed >= patience.window_s:
                if count < patience.least_rate * elapsed:
                    raise PassingError(f"sends only {amount(count / elapsed)} a second")
                began, count = time.monotonic(), 0


def ask(session: requests.Session, url: str, offset: int, hash_known: bool, patience: Patience) -> requests.Response:
    """Request a file, or the rest of it from an offset.

    Parameters
    ----------
    session
        With `HEADERS`.
    url
        Of the file.
    offset
        In bytes; with one, the answer may be of status 200 (the whole file), 206 (a part of it) or 416 (there is no
        such part), else 200.
    hash_known
        Without a known hash, a way from https to http is refused.
    patience
        With the server.

    Raises
    ------
    MirrorError
        The server cannot be reached or answers something else.
    """
    headers = {"Range": f"bytes={offset}-"} if offset else {}
    try:
        timeout = (patience.connect_s, patience.read_s)
        response = session.get(url, headers=headers, stream=True, timeout=timeout)
    except requests.exceptions.SSLError as error:
        raise MirrorError(f"has no certificate that can be trusted ({_root(error)})") from error
    except requests.TooManyRedirects as error:
        raise MirrorError("redirects in a loop") from error
    except requests.ReadTimeout as error:
        raise PassingError(f"did not answer within {patience.read_s:g} s") from error
    except (requests.ConnectionError, requests.Timeout) as error:
        raise PassingError(f"cannot be reached ({_root(error)})") from error
    except (requests.RequestException, ValueError) as error:  # the second: an address such as http://[
        raise MirrorError(f"cannot be asked ({error})") from error
    status, wrong = response.status_code, None
    words = f"answered {status} {responses.get(status, '')}".rstrip()  # not in the words of the server
    if status in PASSING_STATUS:
        wrong = PassingError(
            f"answered {status} {response.reason}", _number(response.headers.get("Retry-After", "")) or 0
        )
    elif status not in ((200, 206, 416) if offset else (200,)):
        wrong = MirrorError(words)
    elif response.headers.get("Content-Encoding", "identity") != "identity":
        wrong = MirrorError("sends the file compressed, although it was asked not to")
    elif url.startswith("https:") and not hash_known and _unencrypted(response):
        wrong = MirrorError("redirects to an unencrypted address, where anyone could put another file in its place")
    if wrong:
        response.close()
        raise wrong
    return response


def shown(url: str) -> str:
    """An address without user, password and query, which are nobody's business in a message."""
    return re.sub(r"//[^/]*@", "//", url).partition("?")[0]


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def _is_html(start: bytes) -> bool:
    return re.match(rb"(\xef\xbb\xbf)?\s*<(!doctype html|html|head|body)\b", start[:512], re.IGNORECASE) is not None


def _unencrypted(response: requests.Response) -> bool:
    return any(answer.url.startswith("http:") for answer in (*response.history, response))


def _root(error: BaseException) -> str:
    """The first cause in words: what requests wraps around it names its own innards."""
    while error.__context__ is not None:
        error = error.__context__
    words = getattr(error, "strerror", None) or str(error)
    return words.encode("unicode_escape").decode()  # it may quote the server, and a terminal obeys escape codes
