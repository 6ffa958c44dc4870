"""Lab 01 by the recipe blind: random degradations, given pairs, RGB scores, and a limit on the network."""

import nbformat
import pytest
import torch

import srlab
from srlab.data import datasets
from srlab.lab.execute import execute, read_headline
from srlab.lab.recipes import read_book

from .conftest import ROOT

LAB = ROOT / "notebooks" / "01_srresnet.ipynb"
RECIPE = read_book(ROOT / "notebooks" / "recipes" / "01_srresnet.yaml").recipes["blind"].values
SMALL = {"recipe": "blind", "run": "blind", "iters": 4, "size": "tiny", "batch": 2, "patch": 32, "validate_every": 2}
FACE = srlab.Protocol(color="rgb", crop=0)


@pytest.fixture
def blind(tmp_path):
    """Run the lab by the recipe with a few changes; gives the run of a lab that went through, and its notebook."""

    def run(lab, **changes):
        out = tmp_path / "out.ipynb"
        execute(lab, out, SMALL | changes)
        return srlab.Run("01_srresnet", "blind"), nbformat.read(out, 4)

    return run


def validated(run):
    return [row["val_psnr"] for row in run.metrics() if "val_psnr" in row]


def mean_psnr(images, **options):
    generator = srlab.load_generator("01_srresnet", "blind")
    return srlab.evaluate(generator, images, **options).psnr.mean()


@pytest.mark.nightly
def test_the_recipe_runs_on_the_embedded_photos_and_repeats_its_pairs(blind):
    """The scores are those of its degradation on the fly, in RGB with crop 0; another network goes through as well."""
    run, executed = blind(LAB, photos="astronaut", network="RRDBNet", blocks=2)
    recipe = run.manifest()["parameters"]
    assert recipe["generator"] == srlab.RRDBNet(2, 16, 8, enlarge=True).config | {"network": "RRDBNet"}
    jpeg = tuple(map(float, RECIPE["jpeg"]))
    degradation = srlab.Degradation(blur=RECIPE["blur"], noise=RECIPE["lr_noise"], jpeg=jpeg)
    assert recipe["sampler"]["degradation"] == degradation.describe()
    photos = datasets.photos("validation").subset("astronaut")
    found = mean_psnr(photos, degradation=degradation, protocol=FACE)
    assert validated(run)[-1] == pytest.approx(found, abs=1e-3)
    assert abs(mean_psnr(photos, degradation=degradation) - found) > 0.1  # the luma, cropped
    assert read_headline(executed)["label"] == "mean gain over bicubic"


@pytest.fixture
def split(tmp_path):
    """Folders train/ and val/ with HR/ and LRx4/: cut-outs of embedded photos, and LR that no recipe would make."""
    seen, photos = datasets.photos("train"), datasets.photos("validation")
    for i, name in enumerate(("coffee", "rocket", "camera")):
        srlab.write_image(seen[name][..., 100:164, 100:172], tmp_path / "train" / f"{i}.png")
    for i, name in enumerate(("astronaut", "chelsea")):  # names as in train/, yet other photos
        hr = photos[name][..., 100:164, 200:250]
        srlab.write_image(hr, tmp_path / "val" / "HR" / f"{i}.png")
        lr = srlab.downsample(srlab.mod_crop(hr, 4), 4, "nearest")
        srlab.write_image(1 - lr.clamp(0, 1), tmp_path / "val" / "LRx4" / f"{i}.png")
    return tmp_path


@pytest.mark.nightly
def test_given_pairs_are_validated_on_as_they_are(blind, split, without_exploring):
    run, executed = blind(without_exploring("01_srresnet"), images=str(split / "train"), validation=str(split / "val"))
    recipe = run.manifest()["parameters"]
    assert (recipe["generator"]["network"], recipe["loss"]) == ("MSRResNet", "l1")
    assert recipe["sampler"]["images"].items() >= {"name": "train", "count": 3}.items()
    assert (recipe["validation"].split()[0], recipe["protocol"]) == ("val", str(FACE))
    given = datasets.image_set(split / "val")
    assert validated(run)[-1] == pytest.approx(mean_psnr(given, protocol=FACE), abs=1e-3)
    srlab.write_image(1 - given.lr_of("1"), split / "val" / "LRx4" / "1.png")
    assert abs(mean_psnr(datasets.image_set(split / "val"), protocol=FACE) - validated(run)[-1]) > 0.01
    assert read_headline(executed)["label"] == "mean gain over bicubic"


# --- The first cells ------------------------------------------------------------------------------------------


def first_cells(**changes):
    """Parameters and setup, which says how LR is made and what is scored."""
    scope = {}
    cells = [cell for cell in nbformat.read(LAB, 4).cells if cell.cell_type == "code"]
    code = [cell.source for cell in cells if "colab" not in cell.metadata.get("tags", [])]
    parameters, setup = code[:2]
    exec(parameters, scope)
    scope |= {"tricks": {"size": "tiny", "photos": "astronaut"} | changes}
    exec(setup, scope)
    return scope


def test_the_defaults_are_the_task_of_the_papers():
    scope = first_cells()
    assert str(scope["lab"].degradation) == str(srlab.Degradation())  # as text, too: a run made before goes on
    assert scope["protocol"] == srlab.Protocol()
    assert scope["tested_on"] == {}
    assert torch.equal(scope["unseen"].lr_of("astronaut"), srlab.downsample(scope["unseen"]["astronaut"], 4))


def test_each_stage_is_taken_from_its_parameter():
    scope = first_cells(downsampler="area", blur=[1, 2.5], lr_noise=[0.1, 0.1], jpeg=[60, 95])
    assert scope["lab"].degradation == srlab.Degradation("area", blur=(1.0, 2.5), noise=0.1, jpeg=(60.0, 95.0))
