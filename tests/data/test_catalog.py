"""srlab.data.catalog and data_scripts/download_data.py: the table of data sets, and the command that fetches them."""

import hashlib
import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from srlab.data import catalog, datasets
from srlab.lab.recipes import read_book
from tests.conftest import load_script
from tests.data import server
from tests.data.test_download import packed, visible

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = list({folder for data_set in catalog.SETS.values() for file in data_set.archives for folder in file.folders})


# --- the table ---


@pytest.mark.parametrize("name", catalog.SETS)
def test_the_table_is_sane(name):
    data_set = catalog.SETS[name]
    root = data_set.title.partition(",")[0]  # "DIV2K, validation" lies in the same one
    assert name.partition("-")[0] == root.lower()
    assert data_set.licence
    assert re.search(r"\b(19|20)\d\d\b", data_set.citation)
    own = [folder.path for archive in data_set.archives for folder in archive.folders if data_set.own(folder)]
    assert f"{data_set.folder}/HR" in own
    assert len(set(own)) == len(own)
    assert all(Path(path).parts[0] == root and Path(path).name in ("HR", "LRx4") for path in own)
    for archive in data_set.archives:
        assert archive.server.startswith("https://")
        assert archive.sha256 is None or (archive.size and re.fullmatch("[0-9a-f]{64}", archive.sha256))


def test_the_page_about_data_names_every_set():
    text = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    names = re.search(r"The names are (.*?)\.", text)[1]
    assert re.findall(r"`(.+?)`", names) == [*catalog.SETS, "all"]


MEMBERS = [
    ("DIV2K_train_HR/0001.png", "DIV2K/train/HR", "0001.png"),
    ("DIV2K_valid_HR/0801.png", "DIV2K/valid/HR", "0801.png"),
    ("DIV2K_valid_LR_bicubic/X4/0801x4.png", "DIV2K/valid/LRx4", "0801.png"),
    ("Flickr2K/Flickr2K_HR/000001.png", "Flickr2K/HR", "000001.png"),
    ("benchmark/Set5/HR/baby.png", "Set5/HR", "baby.png"),
    ("benchmark/Set5/LR_bicubic/X4/babyx4.png", "Set5/LRx4", "baby.png"),
    ("benchmark/Set14/HR/ppt3.png", "Set14/HR", "ppt3.png"),
    ("benchmark/Set14/LR_bicubic/X4/ppt3x4.png", "Set14/LRx4", "ppt3.png"),
    ("benchmark/B100/HR/101085.png", "BSD100/HR", "101085.png"),
    ("benchmark/B100/LR_bicubic/X4/101085x4.png", "BSD100/LRx4", "101085.png"),
    ("benchmark/Urban100/HR/img_001.png", "Urban100/HR", "img_001.png"),
    ("benchmark/Urban100/LR_bicubic/X4/img_001x4.png", "Urban100/LRx4", "img_001.png"),
    ("__MACOSX/benchmark/Set5/HR/._baby.png", None, None),
    ("benchmark/Set5/LR_bicubic/X2/babyx2.png", None, None),
    ("benchmark/Set5/HR/baby.mat", None, None),
    ("benchmark/Set5/HR/baby.JPG", "Set5/HR", "baby.JPG"),
    ("benchmark/Set5/HR/old/baby.png", None, None),
    ("benchmark/Set5/HR/..\\baby.png", None, None),
    ("DIV2K_train_HR/thumbs.png", None, None),
]


@pytest.mark.parametrize(("member", "path", "name"), MEMBERS)
def test_a_member_goes_to_its_folder_and_to_no_other(member, path, name):
    for prefix in ("", "./", "a/b/"):
        found = {folder.path: folder.place(prefix + member) for folder in FOLDERS if folder.place(prefix + member)}
        assert found == ({path: name} if path else {})


def test_for_each_folder_of_the_table_the_name_of_a_member_is_known():
    assert {path for _, path, _ in MEMBERS if path} == {folder.path for folder in FOLDERS}


def test_names_lead_to_folders_of_the_course_unless_it_is_said(home, monkeypatch, tmp_path):
    assert catalog.folder_of("div2k") == home / "DIV2K" / "train"
    assert catalog.folder_of("DIV2K-valid") == home / "DIV2K" / "valid"
    assert catalog.folder_of("bsd100", tmp_path) == tmp_path / "BSD100"
    monkeypatch.delenv("SRLAB_DATA")
    (tmp_path / "course" / "notebooks" / "recipes").mkdir(parents=True)
    for here, course in (("course/notebooks", "course"), (".", ".")):
        monkeypatch.chdir(tmp_path / here)
        assert catalog.folder_of("set5") == tmp_path / course / "data" / "Set5"


# --- the command ---


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SRLAB_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture(scope="module")
def main():
    """The function of the script."""
    return load_script(ROOT / "data_scripts" / "download_data.py").main


def png(side):
    file = io.BytesIO()
    Image.new("RGB", (side, side), (1, 2, 3)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def tiny(home, monkeypatch):
    """The catalogue with two images in each folder, and $SRLAB_MIRROR, a server that has archives to fit it."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with server.serving() as site:
        monkeypatch.setenv("SRLAB_MIRROR", f"{site.base}/mirror/")
        small = {}
        for archive in {archive for data_set in catalog.SETS.values() for archive in data_set.archives}:
            members = [
                (re.sub(r"\(.*\)", name, folder.members) + ".png", png(4 if folder.path.endswith("LRx4") else 16))
                for folder in archive.folders
                for name in (("000001", "000002") if archive == catalog.FLICKR2K else ("0001", "0002"))
            ]
            content = packed(archive.name[-3:], members)
            site.put(archive.name, content)
            small[archive] = replace(
                archive,
                server="http://127.0.0.1:1",
                folders=tuple(replace(folder, images=2) for folder in archive.folders),
                size=archive.size and len(content),
                sha256=archive.sha256 and hashlib.sha256(content).hexdigest(),
            )
        sets = {
            name: replace(data_set, archives=tuple(small[archive] for archive in data_set.archives))
            for name, data_set in catalog.SETS.items()
        }
        monkeypatch.setattr(catalog, "SETS", sets)
        yield site


def asked(site):
    """What was asked for since the last time."""
    names = [name for name, _ in site.asked]
    site.asked.clear()
    return names


def test_div2k_comes_to_lie_where_the_labs_read_it(tiny, home, main, capsys):
    assert main(["div2k", "div2k"]) == 0
    images = {f"DIV2K/{place}/000{i}.png" for place in ("train/HR", "valid/HR", "valid/LRx4") for i in (1, 2)}
    assert visible(home).keys() == images | {"DIV2K/source.json"}
    assert datasets.image_set(catalog.folder_of("div2k")).names == ["0001", "0002"]
    assert datasets.image_set(catalog.folder_of("div2k-valid")).lr_of("0002").shape == (1, 3, 4, 4)
    source = json.loads((home / "DIV2K" / "source.json").read_text())
    printed = capsys.readouterr().out
    for text in (printed, source["licence"] + source["citation"]):
        assert "for academic research only" in text
        assert "Agustsson and Timofte" in text
    command = printed.splitlines()[-1].split()
    assert command[5] in read_book(ROOT / "notebooks" / "recipes" / f"{Path(command[1]).stem}.yaml").recipes
    assert command[-1] == str(home / "DIV2K" / "train")
    assert (ROOT / command[1]).is_file()


def test_a_lab_gets_a_set_by_its_name_and_asks_for_it_once(tiny, home, tmp_path, monkeypatch):
    valid = ["DIV2K_valid_HR.zip", "DIV2K_valid_LR_bicubic_X4.zip"]
    assert datasets.image_set("div2k-valid").names == ["0001", "0002"]
    assert asked(tiny) == valid
    assert datasets.image_set("div2k").lr is None
    assert asked(tiny) == ["DIV2K_train_HR.zip"]
    assert datasets.image_set("DIV2K").names == ["0001", "0002"]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set5").mkdir()
    (tmp_path / "set5" / "own.png").write_bytes(png(8))
    assert datasets.image_set("set5").names == ["own"]  # a folder of that name is that folder
    assert asked(tiny) == []


def test_the_four_benchmark_sets_come_with_one_download_and_a_second_run_changes_nothing(tiny, home, main):
    assert main(["set5"]) == 0
    assert asked(tiny) == ["benchmark.tar"]
    before = {file: file.stat().st_mtime_ns for file in home.rglob("*")}
    assert main(["set5", "set14", "bsd100", "urban100"]) == 0
    for name in ("set5", "set14", "bsd100", "urban100"):
        assert len(datasets.image_set(name).lr) == 2
        assert (catalog.folder_of(name) / "source.json").is_file()
    assert asked(tiny) == []
    assert {file: file.stat().st_mtime_ns for file in home.rglob("*")} == before


def test_archives_stay_away_unless_asked_for_and_are_then_used_again(tiny, home, main, tmp_path):
    main(["div2k-valid"])
    assert not list((home / "archives").glob("*.zip"))
    asked(tiny)
    elsewhere = tmp_path / "else where"
    assert main(["div2k-valid", "--keep-archives", "--to", str(elsewhere)]) == 0
    assert sorted(file.name for file in (elsewhere / "archives").iterdir()) == asked(tiny)
    shutil.rmtree(elsewhere / "DIV2K")
    assert main(["div2k-valid", "--to", str(elsewhere)]) == 0
    assert asked(tiny) == []
    assert len(list((elsewhere / "archives").iterdir())) == 2


def test_the_list_names_all_sets_and_another_name_is_one_line_before_anything_is_fetched(tiny, main, capsys):
    assert main(["--list"]) == 0
    out = capsys.readouterr().out
    assert all(f"{name}: " in out for name in catalog.SETS)
    assert out.count("licence: ") == out.count("cite: ") == len(catalog.SETS)
    assert main(["div2k", "set6"]) == 2
    said = "download_data: There is no data set 'set6' to download; choose among div2k, div2k-valid, flickr2k"
    assert capsys.readouterr().err.startswith(said)
    with pytest.raises(SystemExit):
        main([])
    assert asked(tiny) == []
