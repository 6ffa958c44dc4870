"""Test the zip file of a release, with the labs and the site."""

import zipfile

import pytest

from tests.conftest import ROOT, load_script

release = load_script(ROOT / "docs" / "book" / "release.py")


def test_package_contains_labs_and_site(tmp_path):
    labs, site = tmp_path / "labs", tmp_path / "html"
    labs.mkdir()
    for name in ("00_lab", "extras/one", "workshops/1_network", "claims/seeds"):
        page = site / "notebooks" / f"{name}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(name, encoding="utf-8")
    (labs / "00_lab.ipynb").write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match="not executed: one"):
        release.pack(tmp_path / "dist", "0.1.0", labs, site)
    (labs / "one.ipynb").write_text("{}", encoding="utf-8")
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "srlab-0.0.9.zip").write_text("of an earlier release", encoding="utf-8")
    (tmp_path / "dist" / "notes.txt").write_text("of the maintainer", encoding="utf-8")
    with pytest.raises(ValueError, match=r"dist also contains notes\.txt\. Move"):
        release.pack(tmp_path / "dist", "0.1.0", labs, site)
    assert len(list((tmp_path / "dist").iterdir())) == 2
    (tmp_path / "dist" / "notes.txt").unlink()
    packed = release.pack(tmp_path / "dist", "0.1.0", labs, site)
    names = {name.removeprefix("srlab-0.1.0/") for name in zipfile.ZipFile(packed).namelist()}
    assert {name for name in names if name[:4] != "site"} == {"README.txt", "labs/00_lab.ipynb", "labs/one.ipynb"}
    assert "site/notebooks/workshops/1_network.html" in names
    assert [file.name for file in packed.parent.iterdir()] == ["srlab-0.1.0.zip"]
