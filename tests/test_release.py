"""Test the files of a release: notes from the changelog, and the labs and the site as one zip file."""

import zipfile

import pytest

from tests.conftest import ROOT, load_script

CHANGELOG = """# Changelog

## 0.2.0 (unreleased)

- Something new.

## 0.1.0 (2026-12-01)

The first version.
"""


@pytest.fixture(scope="module")
def release():
    return load_script(ROOT / "docs" / "book" / "release.py")


def test_notes_are_section_of_version(release):
    assert release.read_notes(CHANGELOG, "0.1.0", "v0.1.0") == "The first version.\n"
    assert release.read_notes(CHANGELOG, "0.2.0") == "- Something new.\n"


@pytest.mark.parametrize(
    ("version", "tag", "reason"),
    [
        ("0.3.0", "", "no section for version 0.3.0"),
        ("0.1.0", "v0.2.0", "The tag is v0.2.0"),
        ("0.2.0", "v0.2.0", "calls version 0.2.0 'unreleased'"),
    ],
)
def test_notes_need_version_tag_and_date(release, version, tag, reason):
    with pytest.raises(ValueError, match=reason):
        release.read_notes(CHANGELOG, version, tag)


@pytest.fixture
def built(tmp_path):
    """Create a site of a lab, an extra and a workshop, with the executed lab and extra."""
    labs, site = tmp_path / "labs", tmp_path / "html"
    labs.mkdir()
    for name in ("00_lab", "extras/one", "workshops/1_network", "claims/seeds"):
        page = site / "notebooks" / f"{name}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(name)
    (site / "index.html").write_text("start")
    for name in ("00_lab", "one"):
        (labs / f"{name}.ipynb").write_text("{}")
    return labs, site


def test_package_contains_labs_and_site(release, built, tmp_path):
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "srlab-0.0.9.zip").write_text("of an earlier release")
    packed = release.pack(tmp_path / "dist", "0.1.0", *built)
    names = [name.removeprefix("srlab-0.1.0/") for name in zipfile.ZipFile(packed).namelist()]
    assert [name for name in names if not name.startswith("site/")] == [
        "README.txt",
        "labs/00_lab.ipynb",
        "labs/one.ipynb",
    ]
    assert {"site/index.html", "site/notebooks/workshops/1_network.html"} < set(names)
    assert [file.name for file in packed.parent.iterdir()] == ["srlab-0.1.0.zip"]


def test_package_needs_all_labs(release, built, tmp_path):
    labs, site = built
    (labs / "one.ipynb").unlink()
    with pytest.raises(ValueError, match="not executed: one"):
        release.pack(tmp_path / "dist", "0.1.0", labs, site)
    with pytest.raises(ValueError, match="all of them"):
        release.pack(tmp_path / "dist", "0.1.0", labs, tmp_path / "nothing")
