"""data_scripts/prepare_images.py: crops with their LR from a folder of photos, made once, whatever happens."""

import os
import signal
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from data_scripts import prepare_images as script
from srlab.base.files import lock
from srlab.data.datasets import image_set
from srlab.data.images import mod_crop, read_levels, to_float, to_uint8
from srlab.data.resampling import downsample
from tests.full_disk import Disk
from tests.kills import kill_until_done

FLAGS = ["--size", "32", "--step", "16", "--validation", "0", "--workers", "2"]


@pytest.fixture
def source(tmp_path):
    (tmp_path / "photos").mkdir()
    return tmp_path / "photos"


@pytest.fixture
def output(tmp_path):
    return tmp_path / "prepared"


@pytest.fixture
def run(source, output, capsys):
    """Runs the script with flags after the usual ones; returns its exit code and what it says."""

    def call(*flags, source=source, output=output):
        code = script.main([str(source), str(output), *FLAGS, *flags])
        said = capsys.readouterr()
        return code, said.out + said.err

    return call


def photo(path, height=50, width=70, seed=0, low=0, high=256):
    levels = np.random.default_rng(seed).integers(low, high, (height, width, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(levels).save(path)
    return path


def tree(folder):
    """Path -> bytes of all files but those of the bookkeeping."""
    files = [path for path in folder.rglob("*") if path.is_file() and "prepared" not in path.name]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def states(folder):
    return {path.name: (path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.rglob("HR/*.png")}


# --- what is cut ---


def test_crops_begin_a_step_apart_up_to_the_border_and_lr_is_cut_out_of_the_lr_of_the_whole_photo(run, source, output):
    hr = mod_crop(read_levels(photo(source / "x.png", 50, 71)), 4)
    lr = to_uint8(downsample(to_float(hr)[None], 4))[0]
    assert run()[0] == 0
    places = [(top, left) for top in (0, 16) for left in (0, 16, 32, 36)]
    assert sorted(path.name for path in (output / "train/HR").iterdir()) == [f"x_s{n:03d}.png" for n in range(1, 9)]
    for number, (top, left) in enumerate(places, 1):
        large, small = (read_levels(output / f"train/{kind}/x_s{number:03d}.png") for kind in ("HR", "LRx4"))
        assert torch.equal(large, hr[:, top : top + 32, left : left + 32])
        assert torch.equal(small, lr[:, top // 4 : top // 4 + 8, left // 4 : left // 4 + 8])
    inner = read_levels(output / "train/HR/x_s002.png")
    assert not torch.equal(to_uint8(downsample(to_float(inner)[None], 4))[0], lr[:, 0:8, 4:12])  # it would matter


def test_validation_has_whole_photos_and_what_is_made_reads_as_image_sets(run, source, output):
    for number in range(12):
        photo(source / f"{number}.png", 50, 71, seed=number)
    _, said = run("--validation", "0.5")
    train, validation = image_set(output / "train"), image_set(output / "validation")
    assert {tuple(image.shape) for image in train.hr} == {(3, 32, 32)}
    assert {tuple(image.shape) for image in validation.hr} == {(3, 48, 68)}
    assert {tuple(image.shape) for image in validation.lr} == {(3, 12, 17)}
    assert set(validation.names) == {str(n) for n in range(12) if script.side_of(f"{n}.png", 0.5) == "validation"}
    assert {name.partition("_")[0] for name in train.names}.isdisjoint(validation.names)
    assert f"{len(train)} pairs of HR and LR in train, {len(validation)} in validation" in said


def test_a_photo_is_read_as_the_labs_read_it_and_grey_stays_grey(run, source, output):
    levels, sideways = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8), Image.Exif()
    sideways[0x0112] = 6
    Image.fromarray(levels[..., 0].astype(np.uint16) * 257).save(source / "sixteen.png")
    Image.fromarray(levels).save(source / "sideways.jpg", exif=sideways)
    assert run()[0] == 0
    for name, channels in (("sixteen.png", 1), ("sideways.jpg", 3)):
        crop = read_levels(output / f"train/HR/{name.partition('.')[0]}_s001.png", keep_grey=True)
        assert torch.equal(crop, read_levels(source / name, keep_grey=True))
        assert len(crop) == channels


def test_flat_crops_and_small_photos_are_left_out_and_named(run, source, output):
    half = np.full((32, 64, 3), 99, dtype=np.uint8)
    half[:, 32:] = np.random.default_rng(0).integers(0, 256, (32, 32, 3))
    Image.fromarray(half).save(source / "half.png")
    photo(source / "flat.png", low=99, high=101)
    for number in range(6):
        photo(source / f"small{number}.png", 31, 90)
    code, said = run()
    assert code == 0
    assert "8 photos: 8 made, 0 as before, 0 failed" in said
    assert sorted(path.name for path in (output / "train/HR").iterdir()) == ["half_s002.png", "half_s003.png"]
    for line in (
        "flat half.png: 1 flat crops left out",
        "skipped flat.png: it is flat everywhere",
        "skipped small0.png: its 90x31 pixels are less than a crop of 32x32",
        "skipped: and 2 more",
    ):
        assert line in said
    assert run()[1] == said.replace("8 made, 0 as before", "0 made, 8 as before")


def test_contrast_is_in_levels():
    assert script.contrast(torch.full((3, 8, 8), 7, dtype=torch.uint8)) == pytest.approx(0, abs=1e-3)
    steps = torch.zeros(1, 8, 8, dtype=torch.uint8)
    steps[..., 4:] = 20
    assert script.contrast(steps) == pytest.approx(10 * 219 / 255, rel=1e-4)  # luma has 219 steps, black to white


# --- names and sides ---


def test_a_photo_keeps_its_side_when_others_come():
    names = [f"folder/{number}.jpg" for number in range(4000)]
    sides = [script.side_of(name, 0.05) for name in names]
    assert 150 < sides.count("validation") < 250
    assert script.side_of("folder/7.png", 0.05) == script.side_of("folder/7.jpg", 0.05)
    assert [script.side_of(name, 0.0) for name in names[:100]] == ["train"] * 100
    assert all(script.side_of(n, 0.2) == "validation" for n, s in zip(names, sides, strict=True) if s == "validation")
    drawn = [number for number in range(40) if sides[number] == "validation"]
    assert drawn == [7]  # known: another hash would mix the two sides of old sets


def test_photos_whose_names_would_be_the_same_get_different_ones_and_keep_them(run, source, output):
    names = ["x.png", "x.bmp", "a/x.png", "X.png", "a/" + "long" * 60 + ".png"]
    for seed, name in enumerate(names):
        photo(source / name, 32, 32, seed=seed)
    assert run()[0] == 0
    before = tree(output)
    assert "train/HR/a-x_s001.png" in before
    names.append("a-x.png")  # would have been called so, had it been there
    photo(source / "a-x.png", 32, 32, seed=9)
    assert "6 photos: 1 made, 5 as before" in run()[1]
    assert before.items() < tree(output).items()
    made = image_set(output / "train")
    assert len({name.casefold() for name in made.names}) == len(made) == 6
    for name in names:
        assert any(torch.equal(image, read_levels(source / name)) for image in made.hr)


def test_hidden_files_other_files_and_linked_folders_are_no_photos(run, source, output):
    for name in ("x.png", ".hidden.png", ".folder/y.png"):
        photo(source / name)
    (source / "notes.txt").write_bytes(b"")
    (source / "itself").symlink_to(source)
    (source / "above").symlink_to(source.parent)
    (source / "made").symlink_to(output)
    for _ in range(2):
        assert "1 photos: " in run()[1]


# --- made once ---


def test_a_second_run_makes_only_what_is_new_has_changed_or_is_missing(run, source, output):
    for number in range(4):
        photo(source / f"{number}.png", seed=number)
    assert "4 photos: 4 made, 0 as before" in run()[1]
    first, before = tree(output), states(output)
    assert "4 photos: 0 made, 4 as before" in run()[1]
    assert states(output) == before
    photo(source / "4.png", seed=4)
    photo(source / "1.png", 32, 32, seed=9)  # fewer crops than before
    (output / "train/HR/2_s002.png").unlink()
    (source / "3.png").unlink()
    _, said = run()
    assert "4 photos: 3 made, 1 as before" in said
    assert "gone 3.png: no longer among the photos; its files stay" in said
    after = states(output)
    assert all(after[name] == before[name] for name in before if name.startswith(("0_", "3_")))
    assert [name for name in after if name.startswith("1_")] == ["1_s001.png"]
    assert torch.equal(read_levels(output / "train/HR/1_s001.png"), read_levels(source / "1.png"))
    assert tree(output)["train/HR/2_s002.png"] == first["train/HR/2_s002.png"]


def test_one_worker_and_three_make_the_same_files(run, source, tmp_path):
    for number in range(7):
        photo(source / f"{number}.png", seed=number)
    for workers in ("1", "3"):
        run("--workers", workers, output=tmp_path / workers)
    assert tree(tmp_path / "1") == tree(tmp_path / "3")


def test_damaged_photos_are_named_and_made_once_they_are_repaired(run, source, output, tmp_path):
    for number in range(6):
        photo(source / f"{number}.png", seed=number)
    assert run(output=tmp_path / "undisturbed")[0] == 0
    good = {name: (source / name).read_bytes() for name in ("3.png", "4.png", "5.png")}
    (source / "3.png").write_bytes(good["3.png"][:3000])
    (source / "4.png").write_bytes(b"")
    (source / "5.png").unlink()
    (source / "5.png").symlink_to("nowhere.png")
    code, said = run()
    assert code == 1
    assert "6 photos: 3 made, 0 as before, 3 failed" in said
    for name, reason in (("3", "is damaged or cut short"), ("4", "is not an image"), ("5", "There is no image file")):
        assert any(reason in line for line in said.splitlines() if line.startswith(f"failed {name}.png"))
    (source / "5.png").unlink()
    for name, content in good.items():
        (source / name).write_bytes(content)
    assert "6 photos: 3 made, 3 as before, 0 failed" in run()[1]
    assert tree(output) == tree(tmp_path / "undisturbed")
    (source / "3.png").write_bytes(good["3.png"][:3000])  # damaged after it was made: its crops stay
    assert "5 as before, 1 failed" in run()[1]
    assert tree(output) == tree(tmp_path / "undisturbed")


# --- refused ---


def refused(run, sentence, *flags, **folders):
    code, said = run(*flags, **folders)
    assert (code, said.count("\n")) == (2, 1)
    assert said.startswith("prepare_images: ")
    assert sentence in said


def test_a_folder_of_somebody_else_is_refused_and_stays(run, source, output):
    photo(source / "x.png")
    (output / "train/HR").mkdir(parents=True)
    (output / "train/HR/x_s001.png").write_bytes(b"mine")
    refused(run, "has images that this script has not made")
    for content in (b"", b"my notes", b'{"a": 1}', b"[]"):
        (output / "prepared.json").write_bytes(content)
        refused(run, "prepared.json is damaged or not of this script")
        assert (output / "prepared.json").read_bytes() == content
    assert tree(output) == {"train/HR/x_s001.png": b"mine"}


def test_other_settings_are_refused_by_name(run, source, output):
    photo(source / "x.png")
    photo(source.with_name("others") / "x.png")
    run()
    refused(run, "was made with size=32 (now 48), min_contrast=4.0 (now 1.0); use", "--size=48", "--min-contrast=1")
    refused(run, f"was made with source='{source}' (now ", source=source.with_name("others"))
    assert "1 as before" in run("--workers", "1")[1]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--size=30"], "must be multiples of the scale, 4"),
        (["--scale=0"], "and that at least 1"),
        (["--step=0"], "must be from 1 to the size of a crop, 32, but is 0"),
        (["--step=36"], "must be from 1 to the size of a crop, 32, but is 36"),
        (["--validation=nan"], "below 1, but is nan"),
        (["--min-contrast=-1"], "at least 0, but is -1.0"),
        (["--workers=0"], "at least 1 worker"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(run, source, output, flags, sentence):
    photo(source / "x.png")
    refused(run, sentence, *flags)
    assert not output.exists()


def test_folders_that_do_not_serve_are_refused(run, source, output, tmp_path):
    refused(run, "There are no photos in")
    refused(run, "There is no folder", source=source / "none")
    file = photo(source / "x.png")
    refused(run, "lie in each other", output=source / "prepared")
    photo(tmp_path / "train/HR/x.png")
    refused(run, "lie in each other", source=tmp_path / "train/HR", output=tmp_path)
    refused(run, "Cannot write into", output=photo(tmp_path / "file.png"))
    (output / "train").mkdir(parents=True)
    with lock(output / ".prepared.lock", "advice"):
        refused(run, "is being filled by another process; wait for it to end")
    assert file.exists()
    assert run(output=tmp_path / "photos2")[0] == 0


def test_a_folder_that_may_not_be_read_is_refused(run):
    before = os.geteuid()
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to other users
        place = Path(folder)
        place.chmod(0o755)
        photo(place / "photos/x.png")
        photo(place / "photos/below/y.png")
        (place / "photos/below").chmod(0o000)
        if before == 0:
            os.seteuid(65534)  # root may do anything
        try:
            sentence = "cannot be read (Permission denied); change"
            refused(run, sentence, source=place / "photos", output=place / "made")
        finally:
            os.seteuid(before)
            (place / "photos/below").chmod(0o755)
        assert not (place / "made").exists()


# --- stopped ---


@pytest.mark.parametrize("writes", [2, 9, 20, 60])
def test_a_full_disk_is_one_sentence_and_the_next_run_makes_the_rest(
    run, source, output, tmp_path, monkeypatch, writes
):
    for number in range(5):
        photo(source / f"{number}.png", seed=number)
    run(output=tmp_path / "undisturbed")
    with monkeypatch.context() as patch:
        Disk(patch, writes)
        refused(run, "(No space left on device); free some space, and run it again to go on from here")
    assert tree(output).items() <= tree(tmp_path / "undisturbed").items()
    assert run()[0] == 0
    assert tree(output) == tree(tmp_path / "undisturbed")


def test_a_stop_ends_it_and_the_next_run_goes_on(run, source, output, tmp_path, monkeypatch):
    for seed in range(9):
        photo(source / f"{seed}.png", seed=seed)
    run(output=tmp_path / "undisturbed")
    make = script.make

    def stop(photo, *arguments):
        if photo == "6.png":
            os.kill(os.getpid(), signal.SIGINT)
        return make(photo, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(script, "make", stop)
        code, said = run()
    assert code == 130
    assert "stopped; files are whole" in said
    assert not list(output.rglob("*.part"))
    assert "0 as before" not in run()[1]
    assert tree(output) == tree(tmp_path / "undisturbed")


def cut(say, place):
    """All photos beside a folder, noted one by one."""
    script.SAVE_EVERY = 0
    say(str(script.main([str(place.parent / "photos"), str(place / "prepared"), *FLAGS])))


def only_whole_files(place, said):
    for path in (place / "prepared").rglob("*.png"):
        read_levels(path)


def test_a_kill_at_any_moment_leaves_whole_files_and_the_next_run_goes_on(source, tmp_path):
    for number in range(9):
        photo(source / f"{number}.png", seed=number)
    kill_until_done(cut, tmp_path, only_whole_files, lambda place: tree(place / "prepared"))
