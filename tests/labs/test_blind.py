"""Test lab 01 with the recipe blind (random degradations, RGB scores, another network), and on given pairs."""

import pytest

import srlab
from srlab.data import datasets
from srlab_course.lab.recipes import read_book
from srlab_course.notebook_files.execute import execute
from tests.conftest import ROOT

BLIND = read_book(ROOT / "notebooks" / "recipes" / "01_srresnet.py").recipes["blind"].values()
SMALL = {"recipe": "blind", "run": "blind", "iters": 4, "size": "tiny", "batch": 2, "patch": 32, "validate_every": 2}
FACE = srlab.Protocol(color="rgb", crop=0)


@pytest.fixture
def split(tmp_path):
    """Create train/ and val/ with HR/ and LRx4/: crops of embedded photos, and LR that no recipe would make."""
    seen, photos = datasets.bundled_photos("train"), datasets.bundled_photos("validation")
    for i, name in enumerate(("coffee", "rocket", "camera")):
        srlab.write_image(seen[name][..., 100:164, 100:172], tmp_path / "train" / f"{i}.png")
    for i, name in enumerate(("astronaut", "chelsea")):  # other photos with the names of train/
        hr = photos[name][..., 100:164, 200:250]
        srlab.write_image(hr, tmp_path / "val" / "HR" / f"{i}.png")
        lr = srlab.downsample(srlab.mod_crop(hr, 4), 4, "nearest")
        srlab.write_image(1 - lr.clamp(0, 1), tmp_path / "val" / "LRx4" / f"{i}.png")
    return {"images": str(tmp_path / "train"), "validation": str(tmp_path / "val")}


@pytest.mark.nightly
def test_blind_recipe_validates_on_given_pairs(tmp_path, split):
    lab, out = ROOT / "notebooks" / "01_srresnet.ipynb", tmp_path / "out.ipynb"
    execute(lab, out, SMALL | split | {"network": "RRDBNet", "num_blocks": 2}, "not-in-studies")
    run = srlab.Run("01_srresnet", "blind")
    recipe = run.manifest()["parameters"]
    degradation = srlab.Degradation(blur=BLIND["blur"], noise=BLIND["image_noise"], jpeg=[*map(float, BLIND["jpeg"])])
    assert recipe["sampler"]["degradation"] == degradation.describe()
    assert recipe["sampler"]["images"].items() >= {"name": "train", "count": 3}.items()
    assert (recipe["generator"]["network"], recipe["loss"]) == ("RRDBNet", "l1")
    last = [row["val_psnr"] for row in run.metrics() if "val_psnr" in row][-1]
    generator, given = srlab.load_generator("01_srresnet", "blind"), datasets.load_images(split["validation"])
    assert last == pytest.approx(srlab.evaluate(generator, given, protocol=FACE).psnr.mean(), abs=1e-3)
    assert abs(srlab.evaluate(generator, given).psnr.mean() - last) > 0.1  # on luma, cropped
    given.lr = None  # use LR made from HR
    assert abs(srlab.evaluate(generator, given, protocol=FACE).psnr.mean() - last) > 0.01


@pytest.mark.nightly
def test_training_on_given_pairs_resumes(tmp_path, split):
    lab, out = ROOT / "notebooks" / "01_srresnet.ipynb", tmp_path / "out.ipynb"
    given = {"images": split["validation"], "recipe": "smoke", "run": "pairs"}
    for iters in (4, 6):
        execute(lab, out, SMALL | given | {"iters": iters}, "not-in-studies")
    printed = out.read_text(encoding="utf-8")
    assert "LR:      the LR images in val, unchanged" in printed
    assert "resuming after 4 of 6 steps" in printed
    run = srlab.Run("01_srresnet", "pairs")
    pairs = datasets.load_images(split["validation"])
    assert run.manifest()["step"] == 6
    assert run.manifest()["parameters"]["sampler"]["images"] == pairs.describe()
