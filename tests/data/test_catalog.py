"""srlab.data.catalog and data_scripts/download_data.py: the table of data sets, and the command that fetches them."""

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from srlab.course.recipes import read_book
from srlab.data import catalog, datasets
from tests.conftest import ROOT, load_script
from tests.data import server
from tests.data.test_download import packed, visible

# --- the table ---


def test_the_table_is_sane_and_the_page_about_data_names_every_set():
    for data_set in catalog.SETS.values():
        root = data_set.title.partition(",")[0]  # "DIV2K, validation" lies in the same one
        assert re.search(r"\b(19|20)\d\d\b", data_set.citation)
        own = [folder.path for archive in data_set.archives for folder in archive.folders if data_set.own(folder)]
        assert f"{data_set.folder}/HR" in own
        assert all(Path(path).parts[0] == root and Path(path).name in ("HR", "LRx4") for path in own)
        for archive in data_set.archives:
            assert archive.sha256 is None or (archive.size and re.fullmatch("[0-9a-f]{64}", archive.sha256))
    names = re.search(r"The names are (.*?)\.", (ROOT / "docs" / "data.md").read_text(encoding="utf-8"))[1]
    assert re.findall(r"`(.+?)`", names) == [*catalog.SETS, "all"]


@pytest.mark.parametrize(
    ("member", "place"),
    [  # as they are called in the archives
        ("DIV2K_train_HR/0001.png", "DIV2K/train/HR/0001.png"),
        ("DIV2K_valid_LR_bicubic/X4/0801x4.png", "DIV2K/valid/LRx4/0801.png"),
        ("Flickr2K/Flickr2K_HR/000001.png", "Flickr2K/HR/000001.png"),
        ("benchmark/Set5/HR/baby.png", "Set5/HR/baby.png"),
        ("benchmark/Set5/LR_bicubic/X4/babyx4.png", "Set5/LRx4/baby.png"),
        ("benchmark/B100/HR/101085.png", "BSD100/HR/101085.png"),
        ("benchmark/Urban100/LR_bicubic/X4/img_001x4.png", "Urban100/LRx4/img_001.png"),
        ("__MACOSX/benchmark/Set5/HR/._baby.png", None),
        ("benchmark/Set5/LR_bicubic/X2/babyx2.png", None),
        ("benchmark/Set5/HR/baby.mat", None),
    ],
)
def test_a_member_goes_to_its_folder_and_to_no_other(member, place):
    archives = {archive for data_set in catalog.SETS.values() for archive in data_set.archives}
    for name in (member, f"./{member}", f"a/b/{member}"):
        found = [f"{f.path}/{f.place(name)}" for archive in archives for f in archive.folders if f.place(name)]
        assert found == ([place] if place else [])


def test_names_lead_to_folders_of_the_course_unless_it_is_said(data, monkeypatch, tmp_path):
    assert catalog.folder_of("DIV2K-valid") == data / "DIV2K" / "valid"
    assert catalog.folder_of("bsd100", tmp_path) == tmp_path / "BSD100"
    monkeypatch.delenv("SRLAB_DATA")
    (tmp_path / "course" / "notebooks" / "recipes").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "course" / "notebooks")
    assert catalog.folder_of("set5") == tmp_path / "course" / "data" / "Set5"


# --- the command ---


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("SRLAB_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def main():
    """The function of the script."""
    return load_script(ROOT / "data_scripts" / "download_data.py").main


def png(side):
    file = io.BytesIO()
    Image.new("RGB", (side, side), (1, 2, 3)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def asked(data, monkeypatch):
    """The catalogue with two images in each folder, on $SRLAB_MIRROR; gives what was asked for since the last time."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with server.serving() as site:
        monkeypatch.setenv("SRLAB_MIRROR", f"{site.base}/mirror/")

        def small(archive):
            images = {
                re.sub(r"\(.*\)", name, folder.members) + ".png": png(4 if folder.path.endswith("LRx4") else 16)
                for folder in archive.folders
                for name in ("0001", "0002")
            }
            site.put(archive.name, packed(archive.name[-3:], images))
            folders = tuple(replace(folder, images=2) for folder in archive.folders)
            return replace(archive, folders=folders, server="http://127.0.0.1:1", size=None, sha256=None)

        made = {archive: small(archive) for data_set in catalog.SETS.values() for archive in data_set.archives}
        for name, data_set in catalog.SETS.items():
            archives = tuple(made[archive] for archive in data_set.archives)
            monkeypatch.setitem(catalog.SETS, name, replace(data_set, archives=archives))

        def asked():
            names = [name for name, _ in site.asked]
            site.asked.clear()
            return names

        yield asked


def test_div2k_comes_to_lie_where_the_labs_read_it(asked, data, main, capsys):
    assert main(["div2k", "div2k"]) == 0
    images = {f"DIV2K/{place}/000{i}.png" for place in ("train/HR", "valid/HR", "valid/LRx4") for i in (1, 2)}
    assert visible(data).keys() == images | {"DIV2K/source.json"}
    assert datasets.image_set(catalog.folder_of("div2k-valid")).lr_of("0002").shape == (1, 3, 4, 4)
    source = json.loads((data / "DIV2K" / "source.json").read_text())
    printed = capsys.readouterr().out
    for text in (printed, source["licence"] + source["citation"]):
        assert "for academic research only" in text
        assert "Agustsson and Timofte" in text
    command = printed.splitlines()[-1].split()
    assert command[5] in read_book(ROOT / "notebooks" / "recipes" / f"{Path(command[1]).stem}.yaml").recipes
    assert command[-1] == str(data / "DIV2K" / "train")


def test_a_lab_gets_a_set_by_its_name_and_asks_for_it_once(asked, tmp_path, monkeypatch):
    assert datasets.image_set("div2k-valid").names == ["0001", "0002"]
    assert asked() == ["DIV2K_valid_HR.zip", "DIV2K_valid_LR_bicubic_X4.zip"]
    for name in ("div2k", "DIV2K"):
        assert datasets.image_set(name).lr is None
    assert asked() == ["DIV2K_train_HR.zip"]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set5").mkdir()
    (tmp_path / "set5" / "own.png").write_bytes(png(8))
    assert datasets.image_set("set5").names == ["own"]  # a folder of that name is that folder
    assert asked() == []


def test_the_four_benchmark_sets_come_with_one_download_and_a_second_run_changes_nothing(asked, main, tmp_path):
    to = tmp_path / "else where"
    assert main(["set5", "--to", str(to)]) == 0
    assert asked() == ["benchmark.tar"]
    before = {file: file.stat().st_mtime_ns for file in to.rglob("*")}
    four = ["set5", "set14", "bsd100", "urban100"]
    assert main([*four, "--to", str(to)]) == 0
    for name in four:
        assert len(datasets.image_set(catalog.folder_of(name, to)).lr) == 2
        assert (catalog.folder_of(name, to) / "source.json").is_file()
    assert asked() == []
    assert {file: file.stat().st_mtime_ns for file in to.rglob("*")} == before
    assert not list((to / "archives").glob("benchmark*"))


def test_the_list_names_all_sets_and_another_name_is_one_line_before_anything_is_fetched(asked, main, capsys):
    assert main(["--list"]) == 0
    out = capsys.readouterr().out
    assert all(f"{name}: " in out for name in catalog.SETS)
    assert out.count("licence: ") == out.count("cite: ") == len(catalog.SETS)
    assert main(["div2k", "set6"]) == 2
    assert capsys.readouterr().err.startswith("download_data: There is no data set 'set6' to download; choose among")
    assert asked() == []
