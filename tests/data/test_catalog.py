"""srlab.data.fetching and data_scripts/download_data.py: a data set, from the archive to the lab's folder."""

import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from srlab import SrlabError
from srlab.base import disk, places
from srlab.cli.recipes import read_recipes
from srlab.data import catalog, datasets, fetching
from tests.conftest import load_script
from tests.faults import server

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "data_scripts" / "download_data.py"


@pytest.fixture(scope="module")
def main():
    """The function of the script."""
    return load_script(SCRIPT).main


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SRLAB_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def site(monkeypatch):
    """The one server that the catalogue's addresses are not: $SRLAB_MIRROR."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with server.serving() as site:
        monkeypatch.setenv("SRLAB_MIRROR", f"{site.base}/mirror/")
        yield site


def png(side, seed):
    file = io.BytesIO()
    Image.frombytes("RGB", (side, side), bytes((seed * 7 + i) % 256 for i in range(side * side * 3))).save(file, "PNG")
    return file.getvalue()


def zip_of(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def tar_of(members):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def pairs(hr, lr, names):
    """Members of two folders: HR images of 16 pixels and LR images of 4."""
    return {hr.format(name): png(16, i) for i, name in enumerate(names)} | {
        lr.format(name): png(4, i) for i, name in enumerate(names)
    }


@pytest.fixture
def tiny(site, monkeypatch):
    """The catalogue with few images, and a server that has archives to fit it; addresses but the mirror's are dead."""
    div2k = {f"DIV2K_{split}_HR/{n:04d}.png" for split, n in (("train", 1), ("train", 2), ("valid", 801))}
    archives = {
        "DIV2K_train_HR.zip": zip_of({name: png(16, 1) for name in sorted(div2k) if "train" in name}),
        "DIV2K_valid_HR.zip": zip_of({name: png(16, 2) for name in sorted(div2k) if "valid" in name}),
        "DIV2K_valid_LR_bicubic_X4.zip": zip_of({"DIV2K_valid_LR_bicubic/X4/0801x4.png": png(4, 2)}),
        "DIV2K_train_LR_bicubic_X4.zip": zip_of({f"DIV2K_train_LR_bicubic/X4/000{n}x4.png": png(4, n) for n in (1, 2)}),
        "benchmark.tar": tar_of(
            pairs("benchmark/Set5/HR/{}.png", "benchmark/Set5/LR_bicubic/X4/{}x4.png", ["baby", "bird"])
            | {"benchmark/Set5/LR_bicubic/X2/babyx2.png": png(8, 0)}
            | pairs("benchmark/Set14/HR/{}.png", "benchmark/Set14/LR_bicubic/X4/{}x4.png", ["zebra"])
            | pairs("benchmark/B100/HR/{}.png", "benchmark/B100/LR_bicubic/X4/{}x4.png", ["101085"])
            | pairs("benchmark/Urban100/HR/{}.png", "benchmark/Urban100/LR_bicubic/X4/{}x4.png", ["img001"])
        ),
    }
    counts = {"DIV2K/train": 2, "DIV2K/valid": 1, "Set5": 2, "Set14": 1, "BSD100": 1, "Urban100": 1}

    def small(part):
        content = archives.get(part.file.name)
        if content is None:
            return part
        known = part.file.sha256 is not None
        file = replace(
            part.file,
            urls=(f"http://127.0.0.1:1/{part.file.name}",),
            size=len(content) if known else None,
            sha256=hashlib.sha256(content).hexdigest() if known else None,
        )
        return replace(part, file=file, images=counts[part.folder.rpartition("/")[0]])

    sets = {name: replace(s, parts=tuple(small(part) for part in s.parts)) for name, s in catalog.SETS.items()}
    monkeypatch.setattr(catalog, "SETS", sets)
    monkeypatch.setattr(fetching, "SETS", sets)
    monkeypatch.setattr("srlab.data.downloads.time.sleep", lambda _: None)  # before a dead address is asked again
    for name, content in archives.items():
        site.put(name, content)
    return site


def tree(folder):
    """All files and what is in them, without locks."""
    files = (file for file in folder.rglob("*") if file.is_file() and not file.name.endswith(".lock"))
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


# --- the table ---


@pytest.mark.parametrize("name", catalog.SETS)
def test_the_table_is_sane(name):
    data_set = catalog.SETS[name]
    folder = data_set.title.partition(",")[0]  # "DIV2K, validation" lies in the same one
    assert name.partition("-")[0] == folder.lower()
    assert data_set.licence
    assert re.search(r"\b(19|20)\d\d\b", data_set.citation)
    assert any(part.folder.startswith(f"{data_set.folder}/HR") for part in data_set.parts)
    for part in data_set.parts:
        assert Path(part.folder).parts[0] == folder
        assert Path(part.folder).name in ("HR", "LRx4")
        assert part.images > 0
        assert part.file.size is None or part.file.size > 0
        assert part.file.sha256 is None or re.fullmatch("[0-9a-f]{64}", part.file.sha256)
        assert all(url.startswith("https://") and url.endswith(f"/{part.file.name}") for url in part.file.urls)
    assert len({part.folder for part in data_set.parts}) == len(data_set.parts)


def test_the_readme_names_every_set():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    names = re.search(r"The names are (.*?)\.", text)[1]
    assert re.findall(r"`(.+?)`", names) == [*catalog.SETS, "all"]


MEMBERS = [
    ("DIV2K_train_HR/0001.png", "DIV2K/train/HR", "0001.png"),
    ("DIV2K_valid_HR/0801.png", "DIV2K/valid/HR", "0801.png"),
    ("DIV2K_train_LR_bicubic/X4/0001x4.png", "DIV2K/train/LRx4", "0001.png"),
    ("DIV2K_valid_LR_bicubic/X4/0801x4.png", "DIV2K/valid/LRx4", "0801.png"),
    ("Flickr2K/Flickr2K_HR/000001.png", "Flickr2K/HR", "000001.png"),
    ("Flickr2K/Flickr2K_LR_bicubic/X4/000001x4.png", "Flickr2K/LRx4", "000001.png"),
    ("benchmark/Set5/HR/baby.png", "Set5/HR", "baby.png"),
    ("benchmark/Set5/LR_bicubic/X4/babyx4.png", "Set5/LRx4", "baby.png"),
    ("benchmark/Set14/HR/ppt3.png", "Set14/HR", "ppt3.png"),
    ("benchmark/Set14/LR_bicubic/X4/ppt3x4.png", "Set14/LRx4", "ppt3.png"),
    ("benchmark/B100/HR/101085.png", "BSD100/HR", "101085.png"),
    ("benchmark/B100/LR_bicubic/X4/101085x4.png", "BSD100/LRx4", "101085.png"),
    ("benchmark/Urban100/HR/img_001.png", "Urban100/HR", "img_001.png"),
    ("benchmark/Urban100/LR_bicubic/X4/img_001x4.png", "Urban100/LRx4", "img_001.png"),
]


@pytest.mark.parametrize(("member", "folder", "name"), MEMBERS)
def test_a_member_goes_to_its_folder_and_to_no_other(member, folder, name):
    parts = [part for data_set in catalog.SETS.values() for part in data_set.parts]
    for path in (member, f"./{member}", f"a/b/{member}", member.removeprefix("benchmark/")):
        assert {part.folder: part.place(path) for part in parts if part.place(path)} == {folder: name}


@pytest.mark.parametrize(
    "member",
    [
        "__MACOSX/benchmark/Set5/HR/._baby.png",
        "__MACOSX/DIV2K_train_HR/._0001.png",
        "benchmark/Set5/LR_bicubic/X2/babyx2.png",
        "benchmark/Set5/LR_bicubic/X4/baby.png",
        "benchmark/Set5/HR/baby.mat",
        "benchmark/Set5/HR/old/baby.png",
        "benchmark/Set5/HR/.png",
        "benchmark/MySet5/HR/baby.png",
        "DIV2K_train_HR_2/0001.png",
        "DIV2K_train_HR/thumbs.png",
        "DIV2K_train_HR/0001.png\n",
        "Flickr2K/Flickr2K_HR/0001.png",
    ],
)
def test_other_members_go_nowhere(member):
    assert not any(part.place(member) for data_set in catalog.SETS.values() for part in data_set.parts)


def test_names_lead_to_folders(home, monkeypatch, tmp_path):
    assert catalog.folder_of("div2k") == home / "DIV2K" / "train"
    assert catalog.folder_of("DIV2K-valid") == home / "DIV2K" / "valid"
    assert catalog.folder_of("bsd100", tmp_path) == tmp_path / "BSD100"
    with pytest.raises(
        SrlabError, match="no data set 'set6' to download; choose among div2k, div2k-valid, flickr2k, set5"
    ):
        catalog.folder_of("set6")


def test_the_data_home_is_that_of_the_course_unless_it_is_said(home, monkeypatch, tmp_path):
    assert places.data_home() == home
    monkeypatch.delenv("SRLAB_DATA")
    (tmp_path / "course" / "notebooks" / "recipes").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "course" / "notebooks")
    assert places.data_home() == tmp_path / "course" / "data"
    monkeypatch.chdir(tmp_path)
    assert places.data_home() == tmp_path / "data"


# --- the whole way ---


def test_div2k_comes_to_lie_where_the_labs_read_it(tiny, home, main, capsys):
    assert main(["div2k", "div2k"]) == 0
    images = {"train/HR/0001.png", "train/HR/0002.png", "valid/HR/0801.png", "valid/LRx4/0801.png"}
    assert set(tree(home)) == {f"DIV2K/{name}" for name in images} | {"DIV2K/source.json", "downloads.json"}
    assert datasets.image_set(catalog.folder_of("div2k")).names == ["0001", "0002"]
    assert datasets.image_set(catalog.folder_of("div2k-valid")).lr_of("0801").shape == (1, 3, 4, 4)
    out = capsys.readouterr().out
    assert "for academic research only" in out
    assert "Agustsson and Timofte" in out
    assert f" -p recipe paper -p images {home / 'DIV2K' / 'train'}\n" in out


def test_the_papermill_line_names_a_lab_a_recipe_and_a_folder_that_there_are(main, tiny, home, capsys):
    main(["div2k"])
    command = capsys.readouterr().out.splitlines()[-1].split()
    assert (ROOT / command[1]).is_file()
    assert command[5] in read_recipes(ROOT / "notebooks" / "recipes" / f"{Path(command[1]).stem}.yaml")
    assert Path(command[-1]).is_dir()


def test_a_second_run_asks_for_nothing_and_changes_nothing(tiny, home, main):
    main(["div2k", "set5"])
    before, times = tree(home), {file: file.stat().st_mtime_ns for file in home.rglob("*")}
    tiny.heal()
    assert main(["div2k", "set5", "set14"]) == 0
    assert tiny.asked == []
    assert tree(home) == before
    assert {file: file.stat().st_mtime_ns for file in home.rglob("*")} == times


def test_the_four_benchmark_sets_come_with_one_download(tiny, home, main, capsys):
    assert main(["set5"]) == 0
    assert [name for name, _ in tiny.asked] == ["benchmark.tar"]
    for name, images in (("set5", 2), ("set14", 1), ("bsd100", 1), ("urban100", 1)):
        found = datasets.image_set(catalog.folder_of(name))
        assert (len(found), len(found.lr)) == (images, images)
    out = capsys.readouterr().out
    assert re.search(r"benchmark.tar: nobody has stated its SHA-256; this one has [0-9a-f]{64}\.", out)
    assert "papermill" not in out


def test_a_lab_gets_a_set_by_its_name_and_asks_for_it_once(tiny, home):
    assert datasets.image_set("div2k").names == ["0001", "0002"]
    assert [name for name, _ in tiny.asked] == [
        *("DIV2K_train_HR.zip", "DIV2K_valid_HR.zip", "DIV2K_valid_LR_bicubic_X4.zip")
    ]
    tiny.heal()
    for name, lr in (("div2k", None), ("DIV2K-valid", (1, 3, 4, 4))):
        images = datasets.image_set(name)
        found = images.lr_of(images.names[0])
        assert (None if found is None else tuple(found.shape)) == lr
    assert tiny.asked == []


def test_for_validation_alone_the_photos_to_train_on_are_not_downloaded(tiny, home):
    assert datasets.image_set("div2k-valid").names == ["0801"]
    assert [name for name, _ in tiny.asked] == ["DIV2K_valid_HR.zip", "DIV2K_valid_LR_bicubic_X4.zip"]


def test_a_folder_that_has_the_name_of_a_set_is_that_folder(tiny, home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set5").mkdir()
    (tmp_path / "set5" / "own.png").write_bytes(png(8, 0))
    assert datasets.image_set("set5").names == ["own"]
    assert tiny.asked == []


def test_lr_images_to_train_on_come_only_on_request(tiny, home, main):
    main(["div2k"])
    tiny.heal()
    assert main(["div2k", "--with-lr"]) == 0
    assert tiny.asked == [("DIV2K_train_LR_bicubic_X4.zip", None)]
    assert len(datasets.image_set(catalog.folder_of("div2k")).lr) == 2
    folders = json.loads((home / "DIV2K" / "source.json").read_text())["folders"]
    assert set(folders) == {"DIV2K/train/HR", "DIV2K/valid/HR", "DIV2K/valid/LRx4", "DIV2K/train/LRx4"}


def test_the_source_is_noted(tiny, home, main, monkeypatch):
    monkeypatch.setenv("SRLAB_MIRROR", f"{tiny.base}/mirror?key=secret".replace("//", "//me:secret@"))
    main(["set5"])
    source = json.loads((home / "Set5" / "source.json").read_text())
    part = source["folders"]["Set5/HR"]
    assert part["archive"] == "benchmark.tar"
    assert part["sha256"] == hashlib.sha256(tiny.files["benchmark.tar"]).hexdigest()
    assert part["bytes"] == len(tiny.files["benchmark.tar"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", part["date"])
    assert "Bevilacqua" in source["citation"]
    assert "no licence is stated" in source["licence"]
    assert "secret" not in json.dumps(source)


@pytest.mark.parametrize("arguments", [["all"], ["div2k", "--with-lr", "--keep-archives"]])
def test_a_dry_run_writes_nothing_and_asks_nobody(tiny, home, main, capsys, arguments):
    assert main([*arguments, "--dry-run"]) == 0
    assert not home.exists()
    assert tiny.asked == []
    out = capsys.readouterr().out
    assert re.search(r"DIV2K_train_HR.zip \(\d.* (bytes|kB)\): to download\n", out)
    assert f"{home / 'DIV2K' / 'train' / 'HR'} (2 images): to unpack\n" in out
    assert re.search(r"room it takes: \d", out)


def test_a_dry_run_says_what_is_there(tiny, home, main, capsys):
    main(["div2k", "--keep-archives"])
    shutil.rmtree(home / "DIV2K" / "valid" / "HR")
    capsys.readouterr()
    main(["div2k", "--dry-run"])
    out = capsys.readouterr().out
    assert "DIV2K_valid_HR.zip" in out
    assert "DIV2K_train_HR.zip" not in out
    assert re.search(r"DIV2K_valid_HR.zip \(.*\): there already\n", out)
    assert f"{home / 'DIV2K' / 'train' / 'HR'} (2 images): there already\n" in out


def test_archives_stay_on_request_and_are_used_again(tiny, home, main):
    main(["set5", "--keep-archives"])
    assert (home / "archives" / "benchmark.tar").read_bytes() == tiny.files["benchmark.tar"]
    shutil.rmtree(home / "Set5")
    tiny.heal()
    assert main(["set5"]) == 0
    assert tiny.asked == []
    assert not (home / "archives" / "benchmark.tar").exists()


def test_an_archive_that_somebody_brought_is_used_and_stays(tiny, home, main):
    (home / "archives").mkdir(parents=True)
    for name in ("DIV2K_train_HR.zip", "benchmark.tar"):
        (home / "archives" / name).write_bytes(tiny.files[name])
    assert main(["div2k", "set5"]) == 0
    assert {name for name, _ in tiny.asked} == {"DIV2K_valid_HR.zip", "DIV2K_valid_LR_bicubic_X4.zip"}
    assert sorted(file.name for file in (home / "archives").glob("[!.]*")) == ["DIV2K_train_HR.zip", "benchmark.tar"]


def test_the_folder_can_be_chosen(tiny, home, main, tmp_path, capsys):
    assert main(["set5", "--to", str(tmp_path / "else where")]) == 0
    assert not home.exists()
    assert (tmp_path / "else where" / "Set5" / "HR" / "baby.png").is_file()


def test_the_list_names_all_sets_with_licence_and_citation(main, capsys):
    assert main(["--list"]) == 0
    out = capsys.readouterr().out
    assert all(f"{name}: " in out for name in catalog.SETS)
    assert out.count("licence: ") == out.count("cite: ") == len(catalog.SETS)
    assert "(4.01 GB)" in out


# --- what goes wrong ---


def error_of(main, arguments, capsys):
    capsys.readouterr()
    assert main(arguments) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("download_data: ")
    return error


def test_an_unknown_name_is_one_line_before_anything_is_fetched(tiny, home, main, capsys):
    assert "no data set 'set6'" in error_of(main, ["div2k", "set6"], capsys)
    assert tiny.asked == []


def test_no_name_is_a_usage_error(main):
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2


def test_a_file_of_unknown_hash_that_changed_since_is_noticed(tiny, home, main, capsys):
    main(["set5"])
    shutil.rmtree(home / "Set5")
    old = tiny.files["benchmark.tar"]
    tiny.put("benchmark.tar", old[:-1] + b"\1")
    error = error_of(main, ["set5"], capsys)
    assert "sent another file than expected" in error
    assert f"noted when it was first downloaded, in {home / 'downloads.json'}" in error
    assert not (home / "Set5" / "HR").exists()
    (home / "downloads.json").unlink()
    assert main(["set5"]) == 0


def test_a_set_that_is_not_complete_is_left_alone(tiny, home, main, capsys):
    (home / "Set5" / "HR").mkdir(parents=True)
    (home / "Set5" / "HR" / "mine.png").write_bytes(b"mine")
    assert "Set5/HR holds 1 PNG files instead of 2; move it away" in error_of(main, ["set5"], capsys)
    assert tree(home) == {"Set5/HR/mine.png": b"mine"}
    assert main(["set14"]) == 0  # from the same archive
    assert tree(home)["Set5/HR/mine.png"] == b"mine"


def test_an_archive_with_too_few_images_is_refused(tiny, home, main, capsys, monkeypatch):
    sets = dict(catalog.SETS)
    parts = tuple(replace(part, images=3) for part in sets["set5"].parts)
    sets["set5"] = replace(sets["set5"], parts=parts)
    monkeypatch.setattr(catalog, "SETS", sets)
    monkeypatch.setattr(fetching, "SETS", sets)
    assert "holds 2 of the files that are expected for" in error_of(main, ["set5"], capsys)
    assert not (home / "Set5" / "HR").exists()


def test_the_room_for_archives_and_images_is_checked_before_the_first_byte(tiny, home, main, capsys, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=disk.MARGIN + 100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert re.search(r"DIV2K needs .*, and the disk of .* too little free", error_of(main, ["div2k"], capsys))
    assert tiny.asked == []


def test_a_failed_download_goes_on_with_the_same_command(tiny, home, main, capsys):
    tiny.put("DIV2K_valid_HR.zip", tiny.files["DIV2K_valid_HR.zip"], *[server.drops(100, ranges=False)] * 4)
    assert "the same command goes on from there" in error_of(main, ["div2k"], capsys)
    assert (home / "DIV2K" / "train" / "HR" / "0001.png").is_file()
    tiny.heal()
    assert main(["div2k"]) == 0
    assert dict(tiny.asked) == {"DIV2K_valid_HR.zip": "bytes=100-", "DIV2K_valid_LR_bicubic_X4.zip": None}


def test_two_at_once_share_one_download(tiny, home):
    tiny.faults["benchmark.tar"] = iter([server.trickles(5000, 0.05)])
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda name: fetching.fetch(name, progress=False), ["set5", "set14"]))
    assert [name for name, _ in tiny.asked] == ["benchmark.tar"]
    assert len(datasets.image_set(home / "Set5")) == 2


def test_further_mirrors_can_be_given(tiny, home, monkeypatch):
    base = f"{tiny.base}/other"
    monkeypatch.setenv("SRLAB_MIRROR", "http://127.0.0.1:1/")
    assert fetching.fetch("set5", mirrors=[base], progress=False) == home / "Set5"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_script_in_one_line_and_the_part_is_kept(site, home, number, code):
    site.put("benchmark.tar", bytes(100_000), server.trickles(1000, 0.05))
    process = subprocess.Popen([sys.executable, SCRIPT, "set5"], stderr=subprocess.PIPE, text=True, env=os.environ)
    part = home / "archives" / ".benchmark.tar.part"
    until = time.monotonic() + 20
    while not (part.exists() and part.stat().st_size > 1000) and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(number)
    error = process.communicate(timeout=20)[1]
    assert process.returncode == code
    assert error.splitlines()[-1] == "download_data: stopped; the same command goes on from here."
    assert "Traceback" not in error
    assert part.stat().st_size > 1000


def test_downloading_needs_no_torch():
    script = "import sys, srlab.fetching; print('torch' in sys.modules or 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "False\n"
