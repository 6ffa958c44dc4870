"""Odd image files, through every door

A door is a way into srlab: the data sets, `srlab upscale` with a file and with a folder, `srlab evaluate` with the file
on either side. Each must read the picture that is in the file, and all the same one, or refuse it.
"""

import json
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from srlab.base.errors import SrlabError
from srlab.cli.main import main
from srlab.data.datasets import folder
from srlab.data.images import read_image, to_uint8, write_image
from tests.zoo import Entry, encoded, names, no_files, noise, zoo

ZOO = zoo()
# Of what all doors have in common a few will do: pictures of all kinds, and what is none.
FEW = ("palette-alpha.png", "orientation-6.jpg", "lab.tif", "bomb.png", "empty.png")
SOME = [entry for entry in ZOO if entry.name in FEW]
SOME += [*names(), *no_files()]


def cases(entries=ZOO):
    return [pytest.param(entry, id=entry.label or entry.name.replace(" ", "-")) for entry in entries]


@pytest.fixture(autouse=True)
def few_warnings():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    assert len(caught) <= 8, "a storm of warnings"


@pytest.fixture
def file(tmp_path, entry):
    path = tmp_path / "zoo" / entry.name
    path.parent.mkdir()
    entry.write(path)
    return path


def picture(levels: torch.Tensor) -> np.ndarray:
    return levels.expand(3, -1, -1).permute(1, 2, 0).numpy().astype(int)


def close(levels: np.ndarray, entry: Entry) -> bool:
    return levels.shape[:2] == entry.size and np.abs(levels - entry.truth).max() <= entry.tolerance


def is_one_sentence_about(said: str, file: Path) -> bool:
    """Whether it names the file; the folder will do where the file is none, hidden, or has no name to be printed."""
    named = file.name if file.is_file() and file.name.isprintable() and file.name[0] != "." else file.parent.name
    return named in said and said.rstrip().endswith(".") and said.strip().count("\n") == 0


def words(stderr: str) -> str:
    """What a command said besides its bar of tiles, and besides that one of a pair is grey."""
    beside = ("px/s]", "px]", "and its HR is not: ")
    lines = [line for line in stderr.splitlines() if line and not any(word in line for word in beside)]
    return "\n".join(lines)


def files_below(path: Path) -> list[Path]:
    return [found for found in path.rglob("*") if found.is_file()] if path.exists() else []


@pytest.mark.parametrize("entry", cases())
def test_a_data_set_has_its_picture(entry, file):
    if entry.size is None:
        with pytest.raises(SrlabError) as refusal:
            read_image(file)
        assert file.name in str(refusal.value)
    else:
        image = read_image(file)
        assert image.dtype == torch.float32
        assert image.min() >= 0
        assert image.max() <= 1
        assert close(picture(to_uint8(read_image(file))), entry)
    if entry.size is None or entry.in_folder:
        with pytest.raises(SrlabError) as refusal:
            folder(file.parent)
        assert is_one_sentence_about(str(refusal.value), file)
    else:
        assert torch.equal(folder(file.parent).hr[0], to_uint8(read_image(file)).expand(3, -1, -1))


@pytest.mark.parametrize("entry", cases())
def test_upscale_takes_the_same_picture_as_a_data_set(entry, file, tmp_path, capsys):
    odd = entry.name if file.suffix.lower() == ".png" else "sr.png"
    target = tmp_path / "out" / odd
    code = main(["upscale", str(file), str(target), "--method", "nearest", "--scale", "1"])
    said = capsys.readouterr()
    if entry.size is None:
        assert code == 2
        assert is_one_sentence_about(words(said.err), file)
        assert words(said.err).startswith("srlab: ")
        assert said.out == ""
        assert not files_below(target.parent)
        return
    assert (code, words(said.err)) == (0, "")
    assert files_below(target.parent) == [target]
    if entry.tolerance:
        assert close(picture(to_uint8(read_image(target))), entry)
    else:
        assert torch.equal(to_uint8(read_image(target)), to_uint8(read_image(file)))


@pytest.mark.parametrize("entry", cases(SOME))
def test_upscale_of_a_folder_goes_on_after_it(entry, file, tmp_path, capsys):
    write_image(torch.rand(3, 4, 5), file.parent / "zzz-other.png")
    out = tmp_path / "out"
    code = main(["upscale", str(file.parent), str(out), "--method", "nearest", "--scale", "2"])
    said = words(capsys.readouterr().err)
    others = [out / "zzz-other.png"]
    if entry.in_folder == "refused":
        assert code == 0
        assert said.count("\n") == 1
        assert "its name is no line of text; rename it" in said
        assert files_below(out) == others
    elif entry.size is None or entry.in_folder:
        failed = file.is_file() and not entry.in_folder
        assert code == (1 if failed else 0)
        assert said.count("\n") == (1 if failed else 0)
        assert (file.name in said) == failed
        assert files_below(out) == others
    else:
        assert (code, said) == (0, "2 written, 0 skipped, 0 failed.")
        target = out / f"{file.stem}.png"
        assert sorted(files_below(out)) == sorted([target, *others])
        assert to_uint8(read_image(target)).shape[1:] == (2 * entry.size[0], 2 * entry.size[1])


@pytest.mark.parametrize("side", ["sr", "hr"])
@pytest.mark.parametrize("entry", cases(SOME))
def test_evaluate_scores_the_same_picture_as_a_data_set(entry, side, file, tmp_path, capsys):
    partner = tmp_path / "partner" / ("any.png" if entry.in_folder else f"{file.stem}.png")
    write_image(torch.from_numpy(noise()).permute(2, 0, 1) if entry.size is None else read_image(file), partner)
    other = "hr" if side == "sr" else "sr"
    folders = [f"--{side}", str(file.parent), f"--{other}", str(partner.parent)]
    code = main(["evaluate", *folders, "--protocol", "face", *(["--json"] if side == "hr" else [])])
    said = capsys.readouterr()
    if entry.size is None or entry.in_folder:
        assert (code, said.out) == (2, "")
        assert is_one_sentence_about(words(said.err), file)
        assert words(said.err).startswith("srlab: ")
        return
    assert (code, words(said.err)) == (0, "")
    if side == "hr":
        assert [row["psnr"] for row in json.loads(said.out)["images"]] == ["inf"]
    else:
        assert said.out.splitlines()[-2].split()[1] == "inf"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(tmp_path, capsys):
    path = tmp_path / "secret.png"
    path.write_bytes(encoded(noise(), "PNG"))
    path.chmod(0)
    with pytest.raises(SrlabError, match=r"secret\.png may not be read by you"):
        read_image(path)
    assert main(["upscale", str(path), str(tmp_path / "sr.png"), "--method", "bicubic"]) == 2
    assert "secret.png may not be read by you" in capsys.readouterr().err
