"""srlab.data.preparation and data_scripts/prepare_images.py: crops with their LR from a folder of photos, made once."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from srlab.base.errors import SrlabError
from srlab.data import preparation
from srlab.data.datasets import image_set
from srlab.data.images import mod_crop, read_levels, to_float, to_uint8
from srlab.data.photo_crops import contrast, positions
from srlab.data.photo_sources import photos_of, side
from srlab.data.preparation import prepare
from srlab.data.prepared import Prepared
from srlab.data.resampling import downsample
from tests.conftest import load_script

SCRIPT = Path(__file__).resolve().parents[2] / "data_scripts" / "prepare_images.py"
SMALL = {"size": 32, "step": 16, "validation": 0.0, "workers": 2, "progress": False}
FLAGS = ["--size", "32", "--step", "16", "--validation", "0", "--workers", "2"]


@pytest.fixture(scope="module")
def main():
    """The function of the script."""
    return load_script(SCRIPT).main


@pytest.fixture(autouse=True)
def sigterm():
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def source(tmp_path):
    (tmp_path / "photos").mkdir()
    return tmp_path / "photos"


@pytest.fixture
def output(tmp_path):
    return tmp_path / "prepared"


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
    return {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.rglob("*.png")}


# --- what is cut ---


@pytest.mark.parametrize(
    ("length", "expected"),
    [(32, [0]), (36, [0, 4]), (48, [0, 16]), (52, [0, 16, 20]), (64, [0, 16, 32])],
)
def test_crops_begin_a_step_apart_and_the_last_lies_at_the_border(length, expected):
    assert positions(length, 32, 16) == expected


def test_crops_cover_the_whole_photo_but_for_what_is_no_multiple_of_the_scale(source, output):
    hr = read_levels(photo(source / "x.png", 50, 71))
    prepare(source, output, **SMALL)
    names = sorted(path.name for path in (output / "train/HR").iterdir())
    tops, lefts = [0, 16], [0, 16, 32, 36]
    assert names == [f"x_s{n:03d}.png" for n in range(1, 9)]
    for name, (top, left) in zip(names, [(top, left) for top in tops for left in lefts], strict=True):
        assert torch.equal(read_levels(output / "train/HR" / name), hr[:, top : top + 32, left : left + 32])


def test_lr_is_cut_out_of_the_lr_of_the_whole_photo(source, output):
    hr = mod_crop(read_levels(photo(source / "x.png", 50, 71)), 4)
    whole = to_uint8(downsample(to_float(hr)[None], 4))[0]
    prepare(source, output, **SMALL)
    places = [(top, left) for top in (0, 4) for left in (0, 4, 8, 9)]
    for number, (top, left) in enumerate(places, 1):
        got = read_levels(output / f"train/LRx4/x_s{number:03d}.png")
        assert torch.equal(got, whole[:, top : top + 8, left : left + 8])
    inner = read_levels(output / "train/HR/x_s002.png")
    assert not torch.equal(to_uint8(downsample(to_float(inner)[None], 4))[0], whole[:, 0:8, 4:12])  # it would matter


def test_validation_has_whole_photos_and_what_is_made_reads_as_image_sets(source, output):
    for number in range(12):
        photo(source / f"{number}.png", 50, 71, seed=number)
    summary = prepare(source, output, **SMALL | {"validation": 0.5})
    train, validation = image_set(output / "train"), image_set(output / "validation")
    assert {tuple(image.shape) for image in train.hr} == {(3, 32, 32)}
    assert {tuple(image.shape) for image in validation.hr} == {(3, 48, 68)}
    assert {tuple(image.shape) for image in validation.lr} == {(3, 12, 17)}
    assert set(validation.names) == {str(n) for n in range(12) if side(f"{n}.png", 0.5) == "validation"}
    assert {name.partition("_")[0] for name in train.names}.isdisjoint(validation.names)
    assert summary.sides == {"train": 12 - len(validation), "validation": len(validation)}
    assert summary.pairs == len(train) + len(validation)
    assert summary.bytes == sum(map(len, tree(output).values()))


def test_a_grey_photo_stays_grey(source, output):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)).save(source / "g.png")
    prepare(source, output, **SMALL)
    with Image.open(output / "train/HR/g_s001.png") as hr, Image.open(output / "train/LRx4/g_s001.png") as lr:
        assert (hr.mode, lr.mode) == ("L", "L")


def test_flat_crops_and_small_photos_are_left_out_and_named(source, output):
    half = np.full((32, 64, 3), 99, dtype=np.uint8)
    half[:, 32:] = np.random.default_rng(0).integers(0, 256, (32, 32, 3))
    Image.fromarray(half).save(source / "half.png")
    photo(source / "flat.png", low=99, high=101)
    photo(source / "small.png", 31, 90)
    summary = prepare(source, output, **SMALL)
    assert sorted(path.name for path in (output / "train/HR").iterdir()) == ["half_s002.png", "half_s003.png"]
    assert summary.flat == {"half.png": 1}
    assert summary.skipped == {
        "flat.png": "it is flat everywhere",
        "small.png": "its 90x31 pixels are less than a crop of 32x32",
    }
    assert summary.sides["train"] == 1
    again = prepare(source, output, **SMALL)
    assert (again.unchanged, again.flat, again.skipped) == (3, summary.flat, summary.skipped)


def test_contrast_is_in_levels():
    assert contrast(torch.full((3, 8, 8), 7, dtype=torch.uint8)) == pytest.approx(0, abs=1e-3)
    steps = torch.zeros(1, 8, 8, dtype=torch.uint8)
    steps[..., 4:] = 20
    assert contrast(steps) == pytest.approx(10 * 219 / 255, rel=1e-4)  # luma has 219 steps from black to white


# --- names and sides ---


def test_a_photo_keeps_its_side_when_others_come():
    names = [f"folder/{number}.jpg" for number in range(4000)]
    sides = [side(name, 0.05) for name in names]
    assert 150 < sides.count("validation") < 250
    assert side("folder/7.png", 0.05) == side("folder/7.jpg", 0.05)
    assert [side(name, 0.0) for name in names[:100]] == ["train"] * 100
    assert all(side(n, 0.2) == "validation" for n, s in zip(names, sides, strict=True) if s == "validation")
    drawn = [number for number in range(40) if sides[number] == "validation"]
    assert drawn == [7]  # known: another hash would mix the two sides of old sets


def test_photos_whose_names_would_be_the_same_get_different_ones(source, output):
    names = ("x.png", "x.bmp", "a/x.png", "a-x.png", "X.png", "a/" + "long" * 60 + ".png")
    for seed, name in enumerate(names):
        photo(source / name, 32, 32, seed=seed)
    summary = prepare(source, output, **SMALL)
    made = {path.name: read_levels(path) for path in (output / "train/HR").iterdir()}
    assert (summary.made, len(made), len({name.casefold() for name in made})) == (6, 6, 6)
    for name in names:
        assert any(torch.equal(image, read_levels(source / name)) for image in made.values())
    assert image_set(output / "train").names == sorted(name.removesuffix(".png") for name in made)


def test_a_photo_keeps_its_name_when_one_comes_that_would_take_it(tmp_path):
    later = photo(tmp_path / "a-x.png")
    photos, failed = photos_of({"a-x.png": later, "a/x.png": later}, {"a/x.png": "a-x"}, 0.0)
    assert [entry.name for entry in photos][1] == "a-x"
    assert photos[0].name.startswith("a-x-")
    assert not failed


# --- made once ---


def test_a_second_run_makes_only_what_is_new_or_changed(source, output):
    for number in range(3):
        photo(source / f"{number}.png", seed=number)
    assert prepare(source, output, **SMALL).made == 3
    before = states(output)
    assert prepare(source, output, **SMALL).made == 0
    assert states(output) == before
    photo(source / "3.png", seed=3)
    photo(source / "1.png", 32, 32, seed=9)  # fewer crops than before
    summary = prepare(source, output, **SMALL)
    assert (summary.made, summary.unchanged) == (2, 2)
    after = states(output)
    assert {path for path in before if path.name.startswith(("0_", "2_")) and before[path] != after[path]} == set()
    assert [path.name for path in (output / "train/HR").glob("1_*")] == ["1_s001.png"]
    assert torch.equal(read_levels(output / "train/HR/1_s001.png"), read_levels(source / "1.png"))


def test_a_crop_that_is_missing_or_short_is_made_again(source, output):
    photo(source / "x.png")
    prepare(source, output, **SMALL)
    before = tree(output)
    (output / "train/HR/x_s002.png").unlink()
    (output / "train/LRx4/x_s003.png").write_bytes(b"")
    assert prepare(source, output, **SMALL).made == 1
    assert tree(output) == before


def test_photos_that_have_gone_are_named_and_their_crops_stay(source, output):
    photo(source / "x.png")
    photo(source / "y.png")
    prepare(source, output, **SMALL)
    (source / "x.png").unlink()
    before = tree(output)
    assert prepare(source, output, **SMALL).gone == ["x.png"]
    assert tree(output) == before


def test_what_others_have_in_the_folder_stays(source, output):
    photo(source / "x.png")
    photo(source / "y.png", 32, 32)
    own = {"notes.txt": b"mine", "train/HR/x_s002.png": b"mine", "train/HR/y_s002.png": b"mine", "train/z.png": b"mine"}
    own["train/HR/.other.5.partial"] = b"mine"
    for name, content in own.items():
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        (output / name).write_bytes(content)
    summary = prepare(source, output, **SMALL)
    assert sorted(summary.failed) == ["x.png", "y.png"]
    assert f"{output / 'train/HR/x_s002.png'} has the name of its crop" in summary.failed["x.png"]
    assert tree(output) == own
    (output / "train/HR/y_s002.png").unlink()
    assert sorted(prepare(source, output, **SMALL).failed) == ["x.png"]
    (output / "train/HR/y_s002.png").write_bytes(b"mine")  # beside the crops of a photo that then gets more
    photo(source / "y.png")
    assert "y.png" in prepare(source, output, **SMALL).failed
    assert (output / "train/HR/y_s002.png").read_bytes() == b"mine"


def test_other_settings_are_refused_by_name(source, output):
    photo(source / "x.png")
    prepare(source, output, **SMALL)
    with pytest.raises(SrlabError, match=r"was made with size=32 \(now 48\), min_contrast=4.0 \(now 1.0\); use"):
        prepare(source, output, **SMALL | {"size": 48}, min_contrast=1.0)
    photo(source.with_name("others") / "x.png")
    with pytest.raises(SrlabError, match=r"was made with source='.*photos' \(now '.*others'\)"):
        prepare(source.with_name("others"), output, **SMALL)


@pytest.mark.parametrize("content", [b"", b"my notes", b"my notes\n", b'{"a": 1}\n', b"[]\n"])
def test_a_manifest_of_somebody_else_is_refused_and_stays(source, output, content):
    photo(source / "x.png")
    output.mkdir()
    (output / "prepared.jsonl").write_bytes(content)
    if content:
        with pytest.raises(SrlabError, match="was not written by srlab"):
            prepare(source, output, **SMALL)
        assert (output / "prepared.jsonl").read_bytes() == content
    else:
        assert prepare(source, output, **SMALL).made == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 30}, "must be multiples of the scale, 4"),
        ({"step": 10}, "must be multiples of the scale, 4"),
        ({"step": 0}, "must be from 1 to the size of a crop, 32, but is 0"),
        ({"step": 36}, "must be from 1 to the size of a crop, 32, but is 36"),
        ({"scale": 0}, "scale must be at least 1"),
        ({"validation": 1.0}, "below 1, but is 1.0"),
        ({"validation": float("nan")}, "below 1, but is nan"),
        ({"min_contrast": -1.0}, "at least 0, but is -1.0"),
        ({"workers": 0}, "at least 1 worker"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(source, output, options, message):
    photo(source / "x.png")
    with pytest.raises(SrlabError, match=message):
        prepare(source, output, **SMALL | options)
    assert not output.exists()


def test_folders_that_lie_in_each_other_are_refused(source, tmp_path):
    photo(source / "x.png")
    for inside in (source, source / "prepared"):
        with pytest.raises(SrlabError, match="lie in each other"):
            prepare(source, inside, **SMALL)
    photo(tmp_path / "train/HR/x.png")
    with pytest.raises(SrlabError, match="lie in each other"):
        prepare(tmp_path / "train/HR", tmp_path, **SMALL)
    assert prepare(source, tmp_path / "photos2", **SMALL).made == 1


def test_a_source_without_photos_and_an_output_that_is_a_file_are_refused(source, tmp_path):
    with pytest.raises(SrlabError, match="There are no photos in"):
        prepare(source, tmp_path / "prepared", **SMALL)
    with pytest.raises(SrlabError, match="There is no folder"):
        prepare(source / "none", tmp_path / "prepared", **SMALL)
    file = photo(source / "x.png")
    with pytest.raises(SrlabError, match="is a file"):
        prepare(source, file, **SMALL)


def test_hidden_files_parts_and_other_files_are_no_photos(source, output):
    for name in ("x.png", ".hidden.png", ".folder/y.png"):
        photo(source / name)
    (source / ".x.png.12.part").write_bytes(b"")
    (source / "notes.txt").write_bytes(b"")
    assert prepare(source, output, **SMALL).photos == 1


def test_one_worker_and_three_make_the_same_files(source, tmp_path):
    for number in range(7):
        photo(source / f"{number}.png", seed=number)
    for workers in (1, 3):
        prepare(source, tmp_path / str(workers), **SMALL | {"workers": workers})
    assert tree(tmp_path / "1") == tree(tmp_path / "3")


def test_torch_has_its_threads_back_afterwards(source, output):
    photo(source / "x.png")
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        prepare(source, output, **SMALL)
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(torch.get_num_threads).result() == torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_no_more_photos_wait_than_twice_the_workers(source, output, monkeypatch):
    for number in range(12):
        photo(source / f"{number}.png", 32, 32, seed=number)
    waiting, most = set(), []

    class Pool(ThreadPoolExecutor):
        def submit(self, function, entry, *arguments):
            waiting.add(entry.photo)
            most.append(len(waiting))
            return super().submit(function, entry, *arguments)

    finish = Prepared.finish
    monkeypatch.setattr(preparation, "ThreadPoolExecutor", Pool)
    monkeypatch.setattr(Prepared, "finish", lambda self, row: waiting.remove(row["photo"]) or finish(self, row))
    prepare(source, output, **SMALL)
    assert not waiting
    assert max(most) == 4


# --- the script ---


def test_a_dry_run_says_what_would_be_made_and_writes_nothing(main, source, output, capsys):
    photo(source / "x.jpg")
    photo(source / "small.png", 20, 20)
    (source / "bad.png").write_bytes(b"no image")
    assert main([str(source), str(output), *FLAGS, "--dry-run"]) == 1
    said = capsys.readouterr()
    assert said.out.startswith(
        "3 photos: 2 to make, 0 as before, 1 failed.\nat most 8 pairs of HR and LR, about 0.0 MiB"
    )
    assert "skipped small.png: its 20x20 pixels" in said.err
    assert "failed bad.png: The image" in said.err
    assert not output.exists()
    main([str(source), str(output), *FLAGS])
    assert len(tree(output)) == 16


def test_a_dry_run_foresees_the_crops_of_a_photo_that_lies_on_its_side(source, output):
    exif = Image.Exif()
    exif[0x0112] = 6
    levels = np.random.default_rng(0).integers(0, 256, (71, 40, 3), dtype=np.uint8)
    Image.fromarray(levels).save(source / "x.jpg", exif=exif)
    foreseen = prepare(source, output, **SMALL, dry_run=True)
    assert foreseen.pairs == prepare(source, output, **SMALL).pairs == 8


def test_the_script_tells_what_it_made_and_names_a_few_photos(main, source, output, capsys):
    photo(source / "x.png")
    for number in range(7):
        photo(source / f"small{number}.png", 20, 20)
    assert main([str(source), str(output), *FLAGS]) == 0
    said = capsys.readouterr()
    assert "8 photos: 8 made, 0 as before, 0 failed." in said.out
    assert "1 photos in train, 0 in validation." in said.out
    assert said.err.count("skipped small") == 5
    assert "skipped: and 2 more" in said.err
    assert main([str(source), str(output), *FLAGS[:-4], "--validation", "0.1"]) == 2
    assert "prepare_images: " in capsys.readouterr().err.splitlines()[-1]


def test_the_script_says_when_chance_drew_no_photo_for_validation(main, source, output, capsys):
    photo(source / "x.png")
    flags = [*FLAGS[:4], "--validation", "0.000001"]
    assert main([str(source), str(output), *flags]) == 0
    assert "Chance drew no photo for validation" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_ends_the_script_and_the_next_run_goes_on(main, source, output, tmp_path, monkeypatch, capsys, number):
    for seed in range(9):
        photo(source / f"{seed}.png", seed=seed)
    prepare(source, tmp_path / "undisturbed", **SMALL)
    finish = Prepared.finish

    def stop(prepared, row):
        finish(prepared, row)
        if len(prepared.done) == 3:
            os.kill(os.getpid(), number)

    with monkeypatch.context() as patch:
        patch.setattr(Prepared, "finish", stop)
        assert main([str(source), str(output), *FLAGS]) == 130
    assert "stopped; files are whole" in capsys.readouterr().err
    assert not list(output.rglob("*.part"))
    assert prepare(source, output, **SMALL).made == 6
    assert tree(output) == tree(tmp_path / "undisturbed")
