"""Downloads: the network, the servers and the disk fail."""

import errno
import hashlib
import itertools
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import pytest
import requests

from srlab.base import disk
from srlab.base.errors import SrlabError
from srlab.data import downloads
from srlab.data.mirror import Patience

from . import server
from .fault import KILLS, fault

CONTENT = random.Random(0).randbytes(300_000)
OTHER = random.Random(1).randbytes(300_000)
QUICK = Patience(connect_s=2, read_s=0.3, window_s=0.2, least_rate=1000, attempts=3, pause_s=0.001)
RIGHT = {"size": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest()}
UNKNOWN = {}
Usage = namedtuple("Usage", "total used free")
ALWAYS = itertools.repeat


@pytest.fixture(autouse=True)
def direct(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def site():
    with server.serving() as site:
        yield site


@pytest.fixture
def target(tmp_path):
    return tmp_path / "files" / "data.zip"


def get(urls, target, patience=QUICK, **known):
    return downloads.download(
        [urls] if isinstance(urls, str) else urls, target, progress=False, patience=patience, **known
    )


def hidden(target):
    """What lies beside the target, without the lock."""
    return sorted(file.name for file in target.parent.glob("*") if file != target and not file.name.endswith(".lock"))


def asks_for_the_rest(kept):
    """The requests of a download that goes on with so many bytes."""
    return [] if kept == len(CONTENT) else [("data.zip", f"bytes={kept}-" if kept else None)]


def assert_right(target):
    assert target.read_bytes() == CONTENT
    assert hidden(target) == []


def error_of(*args, **known):
    with pytest.raises(SrlabError) as caught:
        get(*args, **known)
    message = str(caught.value)
    assert message.endswith(".")
    assert message.isprintable()
    assert "HTTPConnectionPool" not in message
    return message


# --- what one attempt more puts right ---

RECOVERS = [
    pytest.param(
        [server.drops(100_000)],
        300_000,
        id="drop",
        marks=fault("the connection drops in the middle", "the rest is fetched, no byte twice"),
    ),
    pytest.param(
        [server.drops(at) for at in (1, 70_000, 0, 99_000)],
        300_000,
        id="drops",
        marks=fault("the connection drops again and again", "the rest is fetched, no byte twice"),
    ),
    pytest.param(
        [server.drops(100_000), server.ignores_ranges],
        400_000,
        id="no-range",
        marks=fault("the server ignores the Range of a resumed download", "it starts over and ends in the right file"),
    ),
    pytest.param(
        [server.drops(100_000), server.misplaced],
        None,
        id="misplaced",
        marks=fault("the server answers a Range with another range", "it starts over and ends in the right file"),
    ),
    pytest.param([server.status(500)], 300_000, id="500", marks=fault("500, then the file", "the file")),
    pytest.param(
        [server.status(503, Retry_After="0")],
        300_000,
        id="503",
        marks=fault("503 with Retry-After, then the file", "the file"),
    ),
    pytest.param(
        [server.status(429, Retry_After="²")],
        300_000,
        id="429",
        marks=fault("429 with a senseless Retry-After, then the file", "the file"),
    ),
    pytest.param(
        [server.hangs_up],
        300_000,
        id="hang-up",
        marks=fault("the server hangs up instead of an answer", "the file, at the next attempt"),
    ),
    pytest.param(
        [server.silent],
        300_000,
        id="silent",
        marks=fault("the server takes the request and says nothing", "the file, at the next attempt"),
    ),
    pytest.param(
        [server.trickles(50, 0.06)],
        300_000,
        id="trickle",
        marks=fault("the file trickles in at a few bytes a second", "the connection is dropped, and the rest fetched"),
    ),
    pytest.param(
        [server.drops(9, Content_Length="0x12")],
        None,
        id="senseless-length",
        marks=fault("a Content-Length that is no number", "the right file"),
    ),
    pytest.param([server.chunked()], 300_000, id="chunked", marks=fault("no Content-Length, in chunks", "the file")),
    pytest.param([server.unsized], 300_000, id="unsized", marks=fault("no length at all", "the file")),
    pytest.param(
        [server.chunked(100_000)],
        300_000,
        id="chunked-cut",
        marks=fault("chunks without an end", "the rest is fetched, no byte twice"),
    ),
]


@pytest.mark.parametrize(("faults", "bytes_served"), RECOVERS)
def test_what_may_pass_is_tried_again(site, target, faults, bytes_served):
    url = site.put("data.zip", CONTENT, *faults)
    get(url, target, patience=Patience(2, 0.3, 0.2, 1000, 6, 0.001), **RIGHT)
    assert_right(target)
    assert bytes_served is None or bytes_served <= site.served["data.zip"] < bytes_served + 1000


@fault("a Content-Length that is too large, of a file of unknown size", "one error; a re-run starts over")
def test_a_length_that_is_too_large(site, target):
    url = site.put("data.zip", CONTENT)
    site.faults["data.zip"] = ALWAYS(lambda *it: server.well(*it, Content_Length=400_000, ranges=False))
    assert "dropped the connection (tried 3 times)" in error_of(url, target)
    site.heal()
    get(url, target)
    assert_right(target)


@pytest.mark.parametrize(("wish", "pauses"), [("7", [7]), ("100000", [60]), ("Fri, 31 Dec 1999 23:59:59 GMT", [1])])
@fault("the server says how long to wait", "waited for, but for no more than a minute")
def test_the_wish_of_the_server_is_honoured_within_reason(site, target, monkeypatch, wish, pauses):
    waited = []
    monkeypatch.setattr(downloads.time, "sleep", waited.append)
    get(site.put("data.zip", CONTENT, server.status(503, Retry_After=wish)), target, patience=Patience(), **RIGHT)
    assert waited == pauses
    assert_right(target)


# --- what does not pass ---

ENDS = [
    pytest.param(
        server.wrong_content,
        "its SHA-256 is [0-9a-f]{64}, not",
        id="hash",
        marks=fault("other content of the same length", "one error with both hashes; the part is deleted"),
    ),
    pytest.param(
        server.wrong_length(200_000),
        "a file of 200000 bytes instead of 300000",
        id="length",
        marks=fault("another length than the known one", "one error with both lengths, before anything is fetched"),
    ),
    pytest.param(
        server.page("text/html; charset=utf-8"),
        "a web page instead of the file",
        id="page",
        marks=fault("a web page in place of the archive", "one error that says so"),
    ),
    pytest.param(
        server.page("application/zip"),
        "a web page instead of the file",
        id="page-as-zip",
        marks=fault("a web page that is called application/zip", "one error that says so"),
    ),
    pytest.param(server.status(404), "answered 404 Not Found", id="404", marks=fault("404", "one error that says so")),
    pytest.param(server.status(403), "answered 403 Forbidden", id="403", marks=fault("403", "one error that says so")),
    pytest.param(
        server.status(206),
        "answered 206",
        id="206",
        marks=fault("a part of the file where nobody asked for one", "one error that says so"),
    ),
    pytest.param(
        server.status(500),
        "answered 500 .* \\(tried 3 times\\)",
        id="500s",
        marks=fault("500 for ever", "one error that says so, after a few attempts"),
    ),
    pytest.param(
        server.redirects("/data.zip"),
        "redirects in a loop",
        id="loop",
        marks=fault("a redirect to itself", "one error that says so"),
    ),
    pytest.param(
        server.redirects("file:///etc/passwd"),
        "cannot be asked",
        id="file",
        marks=fault("a redirect to a local file", "one error; no local file is read"),
    ),
    pytest.param(
        server.redirects("http://["), "cannot be asked", id="nowhere", marks=fault("a redirect to nowhere", "one error")
    ),
    pytest.param(
        server.compressed,
        "compressed, although",
        id="gzip",
        marks=fault("the file compressed in transfer, unasked", "one error that says so"),
    ),
    pytest.param(
        server.silent,
        "did not answer within",
        id="silence",
        marks=fault("no answer at all, ever", "one error that says so"),
    ),
    pytest.param(
        server.hangs_up,
        "cannot be reached",
        id="hang-ups",
        marks=fault("the server always hangs up", "one error that says so"),
    ),
    pytest.param(
        server.babbles,
        r"cannot be reached \(\\x1b",
        id="babble",
        marks=fault("the server speaks no HTTP", "one error, without its escape codes"),
    ),
    pytest.param(
        server.shouts,
        "answered 403 Forbidden",
        id="shout",
        marks=fault("a refusal with escape codes for the terminal", "one error, without its words"),
    ),
    pytest.param(
        server.empty, "0 bytes instead of 300000", id="empty", marks=fault("an empty file", "one error that says so")
    ),
    pytest.param(
        server.trickles(10, 0.05, ranges=False),
        "sends only .* a second \\(tried",
        id="trickle",
        marks=fault("a trickle without end", "one error that says how slow it is"),
    ),
    pytest.param(
        server.drops(100_000, ranges=False),
        "dropped the connection \\(tried 3",
        id="drops",
        marks=fault("always drops at the same byte, and cannot resume", "one error; what has arrived is kept"),
    ),
]


@pytest.mark.parametrize(("what", "says"), ENDS)
def test_what_does_not_pass_is_one_sentence_and_a_healthy_server_puts_it_right(site, target, what, says):
    url = site.put("data.zip", CONTENT)
    site.faults["data.zip"] = ALWAYS(what)
    assert re.search(f"{re.escape(url)} .*{says}", error_of(url, target, **RIGHT))
    assert not target.exists()
    assert set(hidden(target)) <= {".data.zip.part", ".data.zip.part.json"}
    kept = downloads.part_length(target)
    site.heal()
    assert get(url, target, **RIGHT) == target
    assert_right(target)
    assert site.asked == asks_for_the_rest(kept)


@fault("an empty file where no size is known", "one error that says so")
def test_an_empty_answer_is_no_file(site, target):
    url = site.put("data.zip", b"")
    assert "sent an empty file" in error_of(url, target)
    assert not target.exists()


@fault("more bytes than the file has, without a Content-Length", "cut off, one error, and the part is deleted")
def test_a_body_without_an_end_is_cut_off(site, target):
    url = site.put("data.zip", CONTENT, server.endless)
    assert "sends more than the 300000 bytes" in error_of(url, target, **RIGHT)
    assert site.served["data.zip"] < 50_000_000  # what the sockets hold
    assert hidden(target) == []


@fault("no server there", "one error that says so, without the innards of a library")
def test_nobody_listens(target):
    assert "http://127.0.0.1:1/data.zip cannot be reached (Connection refused) (tried 3 times)" in error_of(
        "http://127.0.0.1:1/data.zip", target
    )


@fault("an address that is none, or of another protocol", "one error that says so")
@pytest.mark.parametrize(
    "url", ["data.zip", "ftp://127.0.0.1/data.zip", "http://:x/data.zip", "http://.x/", "http://[", ""]
)
def test_an_address_that_cannot_be_asked(target, url):
    assert "cannot be" in error_of(url, target)


@fault("a mirror's address holds a password", "no message shows it")
def test_a_password_in_an_address_is_not_shown(target):
    message = error_of("http://me:secret@127.0.0.1:1/data.zip?token=secret", target)
    assert "http://127.0.0.1:1/data.zip cannot" in message
    assert "secret" not in message


@fault("a redirect from https to http, with no known hash", "refused")
def test_a_way_out_of_encryption_is_refused_unless_the_hash_is_known(site, target, monkeypatch):
    url = site.put("data.zip", CONTENT)
    real = requests.Session.get

    def redirected(session, address, **how):  # a server with a certificate would be much ado for one line
        response = real(session, address.replace("https:", "http:"), **how)
        return response

    monkeypatch.setattr(requests.Session, "get", redirected)
    secure = url.replace("http:", "https:")
    assert "redirects to an unencrypted address" in error_of(secure, target)
    get(secure, target, **RIGHT)
    assert_right(target)


# --- resuming ---


@fault("the file changes on the server between the two halves", "it starts over: no mixture of two files")
@pytest.mark.parametrize("known", [RIGHT, UNKNOWN], ids=["known hash", "unknown"])
def test_a_file_that_changed_is_fetched_anew(site, target, known):
    url = site.put("data.zip", OTHER, *[server.drops(100_000), *[server.hangs_up] * 2])
    error_of(url, target, **known)
    site.put("data.zip", CONTENT)
    get(url, target, **known)
    assert_right(target)


@fault(
    "a server without ETag and date drops, and the hash is unknown",
    "it starts over: nobody knows if it is the same file",
)
def test_without_tags_and_hash_nothing_is_continued(site, target):
    url = site.put("data.zip", OTHER, server.drops(100_000, tags=False), *[server.hangs_up] * 2)
    error_of(url, target)
    site.put("data.zip", CONTENT, server.without_tags)
    get(url, target)
    assert_right(target)


@fault("a server without ETag and date drops, and the hash is known", "the rest is fetched, no byte twice")
def test_without_tags_the_known_hash_decides(site, target):
    url = site.put("data.zip", CONTENT, server.drops(100_000, tags=False), server.without_tags)
    get(url, target, **RIGHT)
    assert_right(target)
    assert site.served["data.zip"] == len(CONTENT)


@fault("bytes of the part file rot on the disk before the download goes on", "noticed by the hash, and fetched anew")
def test_a_rotten_part_is_noticed(site, target):
    url = site.put("data.zip", CONTENT, server.drops(100_000), *[server.hangs_up] * 2)
    error_of(url, target, **RIGHT)
    with (target.parent / ".data.zip.part").open("r+b") as file:
        file.write(b"rot")
    get(url, target, **RIGHT)
    assert_right(target)


@fault(
    "the note beside the part file is damaged, missing or of another program",
    "it starts over and ends in the right file",
)
@pytest.mark.parametrize("note", [None, "", "{", "[]", "17", '{"url": 3}', "\xff"])
def test_a_damaged_note_means_a_new_start(site, target, note):
    target.parent.mkdir()
    (target.parent / ".data.zip.part").write_bytes(OTHER[:1000])
    if note is not None:
        (target.parent / ".data.zip.part.json").write_text(note, encoding="latin-1")
    get(site.put("data.zip", CONTENT), target)
    assert_right(target)


@fault("the part file is longer than the file", "it starts over and ends in the right file")
def test_a_part_that_is_too_long(site, target):
    url = site.put("data.zip", OTHER, server.drops(100_000), *[server.hangs_up] * 2)
    error_of(url, target, **RIGHT)
    with (target.parent / ".data.zip.part").open("ab") as file:
        file.write(CONTENT)
    site.put("data.zip", CONTENT)
    get(url, target, **RIGHT)
    assert_right(target)


@fault("the process dies between the last byte and the check", "checked and named without the network")
def test_a_part_that_is_whole_needs_no_network(site, target, monkeypatch):
    url = site.put("data.zip", CONTENT)
    with monkeypatch.context() as patch:
        patch.setattr(downloads._Part, "publish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            get(url, target, **RIGHT)
    site.heal()
    get(url, target, **RIGHT)
    assert_right(target)
    assert site.asked == []


@fault("Ctrl-C in the middle", "what has arrived is kept, and the same command goes on")
def test_ctrl_c_keeps_the_part(site, target, monkeypatch):
    url = site.put("data.zip", CONTENT)
    with monkeypatch.context() as patch:

        def update(bar, count):
            raise KeyboardInterrupt

        patch.setattr(downloads.tqdm, "update", update)
        with pytest.raises(KeyboardInterrupt):
            get(url, target, **RIGHT)
    kept = downloads.part_length(target)
    assert kept > 0
    site.heal()
    get(url, target, **RIGHT)
    assert_right(target)
    assert site.asked == asks_for_the_rest(kept)


@fault("a link lies where the part file would be", "replaced; what it points to is not touched")
def test_a_link_in_place_of_the_part_is_not_followed(site, target, tmp_path):
    target.parent.mkdir()
    (tmp_path / "mine").write_bytes(b"mine")
    (target.parent / ".data.zip.part").symlink_to(tmp_path / "mine")
    get(site.put("data.zip", CONTENT), target, **RIGHT)
    assert_right(target)
    assert not target.is_symlink()
    assert (tmp_path / "mine").read_bytes() == b"mine"


# --- mirrors ---


@fault("the first mirrors fail in different ways", "the file from the one that has it")
def test_the_next_mirror_is_asked(site, target):
    bad = [
        site.put("gone.zip", None),
        site.put("page.zip", b"<html>", server.page("text/html")),
        "http://127.0.0.1:1/a",
    ]
    get([*bad, site.put("data.zip", CONTENT)], target, **RIGHT)
    assert_right(target)


@fault("all mirrors fail", "one sentence that says for each what was wrong")
def test_the_error_names_each_mirror(site, target):
    urls = [site.put("gone.zip", None), site.put("page.zip", b"<html>", server.page("text/html"))]
    message = error_of(urls, target, **RIGHT)
    assert re.search(r"gone\.zip answered 404 Not Found; \S+page\.zip serves a web page", message)
    assert f"put the file at {target} yourself" in message


@fault("the first mirror dies in the middle, and the hash is known", "the next one continues, no byte twice")
def test_another_mirror_continues_if_the_hash_is_known(site, target):
    first = site.put("first.zip", CONTENT, server.drops(100_000), *[server.status(404)])
    second = site.put("second.zip", CONTENT, *[lambda *it: server.well(*it, ETag='"of its own"')])
    get([first, second], target, **RIGHT)
    assert_right(target)
    assert dict(site.served) == {"first.zip": 100_000, "second.zip": 200_000}


@fault("the first mirror dies in the middle, and no hash is known", "the next one starts over")
def test_another_mirror_starts_over_if_the_hash_is_not_known(site, target):
    same = {"ETag": '"1"'}  # which says nothing between two servers
    first = site.put("first.zip", OTHER, server.drops(100_000, **same), server.status(404))
    get([first, site.put("second.zip", CONTENT, lambda *it: server.well(*it, **same))], target)
    assert_right(target)


@fault("the part of a first mirror was of a wrong file", "noticed by the hash, and fetched anew from the second")
def test_a_part_of_a_wrong_mirror_is_noticed(site, target):
    first = site.put("first.zip", OTHER, server.drops(100_000), *[server.status(404)])
    get([first, site.put("second.zip", CONTENT)], target, **RIGHT)
    assert_right(target)


# --- what is there already ---


@fault("the file is there already", "taken at once, without the network")
def test_a_file_that_is_there_is_taken(target):
    target.parent.mkdir()
    target.write_bytes(CONTENT)
    assert get([], target, **RIGHT) == target
    assert get([], target) == target


@fault("another file lies under the name", "it is left alone; one error that names it")
@pytest.mark.parametrize("content", [OTHER, b"short", None], ids=["content", "length", "folder"])
def test_another_file_under_the_name_is_not_overwritten(site, target, content):
    target.parent.mkdir()
    target.mkdir() if content is None else target.write_bytes(content)
    assert f"{target} is there already, but it is" in error_of(site.put("data.zip", CONTENT), target, **RIGHT)
    assert target.is_dir() if content is None else target.read_bytes() == content
    assert site.asked == []


# --- the disk ---


@fault("the disk is too small for the file", "one error before a byte is fetched, with how much is missing")
@pytest.mark.parametrize("known", [RIGHT, UNKNOWN], ids=["known size", "Content-Length"])
def test_a_small_disk_is_noticed_before(site, target, monkeypatch, known):
    url = site.put("data.zip", CONTENT)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9, disk.MARGIN + 100_000))
    message = error_of(url, target, **known)
    assert f"needs 300 kB, and the disk of {target.parent} has 200 kB too little free" in message
    assert hidden(target) == []
    assert (site.asked == []) == bool(known)


@fault("the disk has room for the rest of a part, but not for the whole", "the rest is fetched")
def test_a_part_counts_for_the_room(site, target, monkeypatch):
    url = site.put("data.zip", CONTENT, server.drops(250_000))
    with pytest.raises(SrlabError):
        get(url, target, **RIGHT, patience=Patience(attempts=1))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9, disk.MARGIN + 60_000))
    get(url, target, **RIGHT)
    assert_right(target)


class Full:
    """A file on a disk that has room for so many bytes more."""

    def __init__(self, file, room, number):
        self.file, self.room, self.number = file, room, number

    def write(self, block):
        self.file.write(block[: self.room])
        self.room -= len(block)
        if self.room < 0:
            raise OSError(self.number, os.strerror(self.number))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()


@pytest.mark.parametrize(
    ("number", "words"),
    [
        pytest.param(
            errno.ENOSPC,
            "No space left",
            id="ENOSPC",
            marks=fault("the disk fills up in the middle", "one error; the part is kept, and a re-run goes on"),
        ),
        pytest.param(
            errno.EDQUOT,
            "quota",
            id="EDQUOT",
            marks=fault("the quota is used up in the middle", "one error; the part is kept, and a re-run goes on"),
        ),
        pytest.param(
            errno.EFBIG,
            "too large",
            id="EFBIG",
            marks=fault("the file is too large for the file system", "one error; the part is kept"),
        ),
        pytest.param(
            errno.EIO,
            "Input/output",
            id="EIO",
            marks=fault("the disk fails in the middle", "one error; the part is kept, and a re-run goes on"),
        ),
    ],
)
def test_a_disk_that_fills_up_keeps_the_part(site, target, monkeypatch, number, words):
    urls = [site.put("data.zip", CONTENT), site.put("second.zip", CONTENT)]
    real = Path.open

    def opened(path, mode="r", *arguments, **how):
        file = real(path, mode, *arguments, **how)
        return Full(file, 120_000, number) if mode == "ab" else file

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", opened)
        message = error_of(urls, target, **RIGHT)
    assert re.search(f"Could not write {re.escape(str(target))} \\(.*{words}.*goes on from there", message)
    assert [name for name, _ in site.asked] == ["data.zip"]  # no other mirror can help
    assert downloads.part_length(target) == 120_000
    site.heal()
    get(urls, target, **RIGHT)
    assert_right(target)
    assert site.served["data.zip"] == 180_000


@fault("the folder cannot be written to", "one error that names it")
@pytest.mark.parametrize("how", ["read-only", "below a file"])
def test_a_folder_that_cannot_be_written_to(site, tmp_path, how):
    folder = tmp_path / "folder"
    if how == "below a file":
        folder.write_text("a file")
    else:
        folder.mkdir(mode=0o555)
        if os.access(folder, os.W_OK):
            pytest.skip("root may write everywhere")
    assert f"Cannot write into {folder}" in error_of(site.put("data.zip", CONTENT), folder / "data.zip")
    assert site.asked == []


# --- processes ---


DOWNLOAD = """
import sys
from pathlib import Path
from srlab.data.downloads import download
url, target, size, sha256 = sys.argv[1:]
download([url], Path(target), int(size), sha256, progress=False)
"""


def start(url, target):
    return subprocess.Popen([sys.executable, "-c", DOWNLOAD, url, target, str(RIGHT["size"]), RIGHT["sha256"]])


@fault("two processes want the same file at once", "it is fetched once, and both have it")
def test_two_processes_share_one_download(site, target):
    url = site.put("data.zip", CONTENT, server.trickles(100_000, 0.2))
    both = [start(url, target) for _ in range(2)]
    assert [process.wait(20) for process in both] == [0, 0]
    assert len(site.asked) == 1
    assert_right(target)


@fault("a downloading process is killed (kill -9)", "the next one goes on; only what is missing is fetched")
def test_a_killed_download_goes_on(site, target, record_property):
    record_property("times", KILLS // 2)
    moments = random.Random(0)
    for _ in range(KILLS // 2):
        url = site.put("data.zip", CONTENT, server.trickles(1000, 0.001))
        process = start(url, target)
        until = moments.randrange(1, 150_000)
        while downloads.part_length(target) < until:
            assert process.poll() is None
            time.sleep(0.002)
        process.kill()
        process.wait()
        assert not target.exists()
        kept = downloads.part_length(target)
        site.heal()
        get(url, target, **RIGHT)
        assert_right(target)
        assert site.asked == asks_for_the_rest(kept)
        target.unlink()


@fault("a process that waits for the lock of a killed one", "it goes on at once: the lock dies with its holder")
def test_the_lock_of_a_killed_process_is_free(site, target):
    url = site.put("data.zip", CONTENT, server.silent)
    first = start(url, target)
    while not site.asked:
        time.sleep(0.005)
    second = start(url, target)
    first.kill()
    assert second.wait(20) == 0
    first.wait()
    assert_right(target)
