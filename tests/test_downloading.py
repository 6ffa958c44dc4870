"""Test srlab.downloading with a local server: a file of the server arrives completely or not at all."""

import hashlib
import json
import random

import pytest
import requests

from srlab import downloading
from srlab.downloading import download
from srlab.errors import SrlabError
from tests.conftest import files_in
from tests.file_server import serving

OLD, NEW = (random.Random(seed).randbytes(size) for seed, size in ((0, 3000), (1, 5000)))


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(downloading, "BLOCK", 64)  # the rest of a block is lost when a connection drops
    with serving() as site:
        site.files["a.bin"] = OLD
        yield site


def error_of(site, path, **options):
    with pytest.raises(SrlabError) as caught:
        download(f"{site.base}/a.bin", path, **options)
    return str(caught.value)


@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize("fault", ["", "no ranges"])
def test_download_resumes_only_the_same_file(site, tmp_path, changed, fault):
    site.faults = ["drops"]
    assert "run the same command again to resume" in error_of(site, tmp_path / "b.bin")
    have = (tmp_path / "b.bin.part").stat().st_size
    site.files["a.bin"], site.faults = NEW if changed else OLD, [fault]
    download(f"{site.base}/a.bin", tmp_path / "b.bin")
    assert files_in(tmp_path) == {"b.bin": NEW if changed else OLD}
    assert site.requests[:2] == [None, f"bytes={have}-"]
    assert 1900 < have < 3000


@pytest.mark.parametrize(
    ("marks", "resumes"),
    [
        ({}, False),
        ({"ETag": 'W/"1"'}, False),
        ({"ETag": 'W/"1"', "Last-Modified": "Mon, 30 Nov 2026 14:00:00 GMT"}, True),
    ],
)
def test_part_without_a_mark_of_the_server_is_not_resumed(site, tmp_path, marks, resumes):
    site.marks, site.faults = marks, ["drops"]
    error_of(site, tmp_path / "a.bin")
    download(f"{site.base}/a.bin", tmp_path / "a.bin")
    assert files_in(tmp_path) == {"a.bin": OLD}
    assert (site.requests[1] is not None) == resumes


def test_complete_part_is_renamed_and_a_foreign_one_is_not(site, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(OLD)
    (tmp_path / "a.bin.part.json").write_text(json.dumps(['"1"', len(OLD)]), encoding="utf-8")
    (tmp_path / "b.bin.part").write_bytes(OLD[:100])
    (tmp_path / "c.bin.part").touch()  # killed before the first byte of a file of unknown size
    (tmp_path / "c.bin.part.json").write_text('["1", 0]', encoding="utf-8")
    for name in ("a.bin", "b.bin", "c.bin"):
        download(f"{site.base}/a.bin", tmp_path / name, hashlib.sha256(OLD).hexdigest())
    assert files_in(tmp_path) == dict.fromkeys(("a.bin", "b.bin", "c.bin"), OLD)
    assert site.requests == [None, None]


def test_part_that_is_longer_than_the_file_begins_again(site, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(NEW)
    (tmp_path / "a.bin.part.json").write_text(json.dumps(['"1"', 9999]), encoding="utf-8")
    download(f"{site.base}/a.bin", tmp_path / "a.bin")
    assert files_in(tmp_path) == {"a.bin": OLD}
    assert site.requests == ["bytes=5000-", None]


@pytest.mark.parametrize(("fault", "marks"), [(206, {"ETag": '"1"'}), (206, {}), ("", {"Content-Encoding": "gzip"})])
def test_answer_that_was_not_requested_is_rejected(site, tmp_path, fault, marks):
    site.faults, site.marks = [fault], marks
    assert "(the server sent a part or a compressed file, which wasn't requested)" in error_of(site, tmp_path / "a.bin")
    assert files_in(tmp_path) == {}
    assert site.requests == [None]


def test_text_of_a_redirect_is_not_read(site, tmp_path):
    site.faults = ["redirects", "redirects"]
    download(f"{site.base}/a.bin", tmp_path / "a.bin")
    assert files_in(tmp_path) == {"a.bin": OLD}
    assert site.sent_mb < 100
    site.faults = ["redirects"] * 20
    assert "more than 10 redirects" in error_of(site, tmp_path / "b.bin")


@pytest.mark.parametrize("marks", [{"Content-Length": "1e3"}, {"Location": "http://[::1"}])
def test_odd_header_is_an_error(site, tmp_path, marks):
    site.faults, site.marks = ([302] if "Location" in marks else [""]), marks
    assert "Could not download" in error_of(site, tmp_path / "a.bin")


def test_other_file_is_deleted(site, tmp_path):
    message = error_of(site, tmp_path / "a.bin", sha256="0123456789")
    found = hashlib.sha256(OLD).hexdigest()[:8]
    assert f"/a.bin sent another file (its SHA-256: {found}..., not 01234567...), perhaps the login page" in message
    assert files_in(tmp_path) == {}


def test_stalled_server_is_an_error(site, tmp_path, monkeypatch):
    monkeypatch.setattr(downloading, "TIMEOUT_S", 0.1)
    site.faults = ["stalls"]
    message = error_of(site, tmp_path / "a.bin", yours=tmp_path / "mine")
    assert "(timed out). Check the network and run the same command again to resume" in message
    assert f"or put the file at {tmp_path}/mine yourself." in message
    download(f"{site.base}/a.bin", tmp_path / "a.bin")
    assert files_in(tmp_path) == {"a.bin": OLD}


def test_proxy_and_certificates_are_named(site, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "")
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert "(Connection refused). Check the address of your proxy in HTTPS_PROXY, or put the file at" in (
        error_of(site, tmp_path / "a.bin")
    )

    def get(*_, **__):
        raise requests.exceptions.SSLError("certificate verify failed: self-signed certificate in certificate chain")

    monkeypatch.setattr(requests.Session, "get", get)
    assert "self-signed certificate in certificate chain). If your network has a certificate of its own" in (
        error_of(site, tmp_path / "a.bin")
    )
