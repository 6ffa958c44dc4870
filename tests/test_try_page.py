"""Test the download of onnxruntime-web for the page that upscales photos; tests/browser tests the page."""

import shutil

import pytest

from srlab.errors import SrlabError
from tests.conftest import ROOT, load_script


@pytest.fixture
def script(tmp_path, monkeypatch):
    """The script with an empty folder for its downloads."""
    module = load_script(ROOT / "docs" / "book" / "try_page.py")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    return module


def test_missing_npm_is_named(script, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(SrlabError, match=r"npm is missing, .* onnxruntime-web@"):
        script.build(tmp_path / "try")
    assert not (tmp_path / "try").exists()


def test_download_with_another_hash_is_rejected(script, tmp_path):
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / f"{script.PACKAGE.replace('@', '-')}.tgz").write_bytes(b"something else")
    with pytest.raises(SrlabError, match="its hash is sha512-"):
        script.build(tmp_path / "try")
