"""Download files: the only place that srlab uses the network.

requests brings its certificates along (Python on a new Mac has none) and uses the proxy in ``HTTPS_PROXY``.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urljoin

import requests
from tqdm.auto import tqdm

from srlab.errors import SrlabError
from srlab.files import patiently, sha256_of

BLOCK = 1 << 16  # bytes read at a time
TIMEOUT_S = 60.0  # seconds without a byte, after which a download fails
REDIRECTS = 10  # at most
# What to do about an error of the network; an error can have several of these types, and the first counts.
ADVICE = {
    requests.exceptions.ProxyError: "Check the address of your proxy in HTTPS_PROXY",
    requests.exceptions.SSLError: "If your network has a certificate of its own, set REQUESTS_CA_BUNDLE to its file",
    Exception: "Check the network and run the same command again to resume",
}


class Session(requests.Session):
    """A session that follows no redirect, since requests would first read its text, which may be endless."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return None, as for a response that redirects nowhere."""
        return None


def download(url: str, path: Path, sha256: str = "", yours: Path | None = None) -> None:
    """Download a file, which appears under its name only when it is complete.

    Until then it is ``<name>.part``. After an error, the next call resumes if the server still has the same file, and
    otherwise begins again. Hold a lock, because two processes must not download the same file.

    Parameters
    ----------
    sha256
        First digits of the SHA-256, or "". A file with another one is deleted, and an error.
    yours
        Path that the error message names for a file downloaded in another way; by default `path`.
    """
    part, note = path.with_name(f"{path.name}.part"), path.with_name(f"{path.name}.part.json")
    try:
        _receive(url, part, note)
    except (requests.RequestException, ValueError) as error:  # the second one for an odd header
        advice = next(advice for kind, advice in ADVICE.items() if isinstance(error, kind))
        cause: BaseException = error
        while cause.__context__ is not None:  # the outer errors describe the libraries
            cause = cause.__context__
        raise SrlabError(
            f"Could not download {url} ({getattr(cause, 'strerror', None) or cause}). {advice}, or put the file at "
            f"{yours or path} yourself."
        ) from error
    note.unlink(missing_ok=True)
    if not (found := sha256_of(part)).startswith(sha256):
        part.unlink()
        raise SrlabError(
            f"{url} sent another file (its SHA-256: {found[:8]}..., not {sha256[:8]}...), perhaps the login page of "
            f"your network. Check the network, or put the file at {yours or path} yourself."
        )
    patiently(lambda: part.replace(path))


def _receive(url: str, part: Path, note: Path) -> None:
    """Append the missing bytes to a part, or download it from the first byte.

    A note next to it holds the server's mark of the file and its size; without a mark, a part is never resumed.
    """
    mark, size = _read(note)
    have = part.stat().st_size if mark and part.exists() else 0
    if have and have == size:
        return  # an earlier call was killed before it renamed the file
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with Session() as session, _reach(session, url, headers) as response:
        same = response.status_code == 206 and _mark(response.headers) == mark
        if have and response.status_code in (206, 416) and not same:
            part.unlink()  # the server has another file now
            return _receive(url, part, note)
        response.raise_for_status()
        encoding = response.headers.get("Content-Encoding", "identity")
        if (response.status_code == 206 and not have) or encoding != "identity":
            raise requests.RequestException("the server sent a part or a compressed file, which wasn't requested")
        start = have if same else 0
        total = start + int(response.headers.get("Content-Length", 0))
        with part.open("ab" if same else "wb") as file:
            if not same:  # written once the part is empty, so that it never describes other bytes
                note.write_text(json.dumps([_mark(response.headers), total]), encoding="utf-8")
            with tqdm(total=total, initial=start, desc=part.stem, unit="B", unit_scale=True) as bar:
                for block in response.iter_content(BLOCK):
                    bar.update(file.write(block))


def _reach(session: Session, url: str, headers: dict[str, str]) -> requests.Response:
    """Return the response at the end of all redirects."""
    for _ in range(REDIRECTS + 1):
        response = session.get(url, headers=headers, stream=True, timeout=TIMEOUT_S)
        if not response.is_redirect:
            return response
        response.close()
        url = urljoin(url, response.headers["location"])
    raise requests.TooManyRedirects(f"more than {REDIRECTS} redirects")


def _mark(headers: Mapping[str, str]) -> str:
    """Return what the server tells versions of a file apart by, or ""; a weak ETag is not for bytes."""
    etag = headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else headers.get("Last-Modified", "")


def _read(note: Path) -> tuple[str, int]:
    """Return the server's mark and the size of a file; ("", 0) if there is no note."""
    try:
        mark, size = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "", 0
    return mark, size
