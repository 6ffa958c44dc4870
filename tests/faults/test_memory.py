"""The memory is too small."""

import numpy as np
import pytest
import torch
from PIL import Image

from srlab.base.errors import SrlabError
from srlab.data.resampling import upsample
from srlab.inference import photo
from srlab.inference.photo import upscale_file
from srlab.training import checkpoints
from srlab.training.runs import Run

from .fault import fault
from .little_run import LAB, little_run, raising, undisturbed, what_is_left

LACKS = {
    "cuda": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nMore"),
    "cpu": RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
    "python": MemoryError(),
}


def require_one_sentence(error):
    assert "\n" not in str(error)
    assert str(error).endswith(".")


# --- Training ---


STEP = fault("no memory in a training step", "a sentence names batch and patch; the next run gives the same bytes")


@pytest.mark.parametrize(
    ("place", "error"),
    [
        pytest.param("step", LACKS["cuda"], marks=STEP, id="step-cuda"),
        pytest.param("step", LACKS["cpu"], marks=STEP, id="step-cpu"),
        pytest.param("step", LACKS["python"], marks=STEP, id="step-python"),
        pytest.param(
            "validate",
            LACKS["cuda"],
            marks=fault("no memory in a validation", "a sentence; the next run gives the same bytes"),
            id="validate",
        ),
        pytest.param(
            "save",
            LACKS["python"],
            marks=fault("no memory while saving", "a sentence; the next run gives the same bytes"),
            id="save",
        ),
    ],
)
def test_training_without_memory_says_what_to_lower_and_goes_on_later(monkeypatch, place, error):
    expected = undisturbed()
    little = little_run()
    with monkeypatch.context() as full:
        if place == "save":
            full.setattr(checkpoints, "pack", raising(checkpoints.pack, error, 4))
        else:
            setattr(little, place, raising(getattr(little, place), error, 4))
        with pytest.raises(SrlabError, match=r"memory.*batch.*2.*patch.*16") as caught:
            little.fit()
    require_one_sentence(caught.value)
    assert str(Run(LAB, "default").path) in str(caught.value)
    assert Run(LAB, "default").trained_steps() >= 2
    little_run().fit()
    assert what_is_left() == expected


@fault("another error of the reader's own step", "that error as it is")
def test_other_errors_of_a_step_stay_what_they_are():
    little = little_run()
    little.step = raising(little.step, RuntimeError("mat1 and mat2 shapes cannot be multiplied"), 2)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        little.fit()


# --- Upscaling ---


@pytest.fixture
def lr(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)).save(tmp_path / "lr.png")
    return tmp_path / "lr.png"


def bicubic(pixels):
    return upsample(pixels, 2)


@pytest.mark.parametrize("error", LACKS.values(), ids=LACKS)
@fault("no memory for a tile", "smaller tiles, and the same pixels")
def test_upscaling_goes_on_with_smaller_tiles(lr, tmp_path, capsys, error):
    settings = {"tile": 20, "overlap": 4, "progress": False}
    truth = upscale_file(lr, tmp_path / "truth.png", bicubic, 2, **settings)
    made = upscale_file(lr, tmp_path / "sr.png", raising(bicubic, error, 3), 2, **settings)
    assert np.array_equal(np.asarray(Image.open(made)), np.asarray(Image.open(truth)))
    assert "The memory is too small for tiles of 20x20 pixels; going on with 10x10." in capsys.readouterr().err


@pytest.mark.parametrize("error", LACKS.values(), ids=LACKS)
@fault("no memory even for the smallest tile", "a sentence says what to do; an older file stays as it was")
def test_upscaling_without_any_memory_says_so(lr, tmp_path, error):
    (tmp_path / "sr.png").write_bytes(b"older")
    never = raising(bicubic, error, *range(1, 99))
    with pytest.raises(SrlabError, match=r"Not even tiles of .* close other programs, or give a smaller") as caught:
        upscale_file(lr, tmp_path / "sr.png", never, 2, tile=32, overlap=4, progress=False, force=True)
    require_one_sentence(caught.value)
    assert (tmp_path / "sr.png").read_bytes() == b"older"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["lr.png", "sr.png"]


@pytest.mark.parametrize(("module", "name"), [(photo, "to_uint8"), (photo, "read_piece"), (photo, "encode")])
@fault("no memory while a photo is read, rounded or encoded", "a sentence says what to do; no part of a file is left")
def test_a_lack_of_memory_around_the_network_is_a_sentence_too(lr, tmp_path, monkeypatch, module, name):
    monkeypatch.setattr(module, name, raising(getattr(module, name), MemoryError(), *range(1, 99)))
    with pytest.raises(SrlabError, match="memory") as caught:
        upscale_file(lr, tmp_path / "sr.png", bicubic, 2, tile=20, overlap=4, progress=False)
    require_one_sentence(caught.value)
    assert [file.name for file in tmp_path.iterdir()] == ["lr.png"]
