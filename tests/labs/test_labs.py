"""Test that the labs run one after another, reproduce their saved outputs, and run with other recipes."""

import json
import os
import re
import shutil
import subprocess

import nbformat
import papermill
import pytest
import torch

import srlab
from srlab.models import realesrgan
from srlab_course.lab.answer_text import defined_in
from srlab_course.lab.recipes import read_book
from srlab_course.lab.run_code import read_code
from srlab_course.notebook_files.claims import insert_claims
from srlab_course.notebook_files.editable import read_notebook
from srlab_course.notebook_files.execute import execute
from srlab_course.teaching.solutions import fill_in
from tests.conftest import EXTRAS, LABS, ROOT

# Setup must run twice in the same kernel.
AGAIN = 'assert course.setup("{}", globals()).run == lab.run == "smoke"'


# Two equally long parts for two cores. Labs 02 and 03 start from the network of lab 01.
@pytest.mark.long
@pytest.mark.parametrize(
    "labs",
    [
        pytest.param(LABS[1:4], id="01 to 03"),
        pytest.param([LABS[0], *LABS[4:]], id="the others"),
        pytest.param(EXTRAS, id="extras", marks=pytest.mark.nightly),
    ],
)
def test_labs_reproduce_saved_outputs(call, tmp_path, home, labs):
    """Write parameters with papermill, and run the copies with nbval. The exercises are not solved."""
    copies = [tmp_path / lab.name for lab in labs]
    for lab, copy in zip(labs, copies, strict=True):
        papermill.execute_notebook(str(lab), str(copy), {"recipe": "smoke"}, prepare_only=True, progress_bar=False)
        prepared = nbformat.read(copy, 4)
        insert_claims(prepared, lab.stem)
        prepared.cells.append(nbformat.v4.new_code_cell(AGAIN.format(lab.stem)))
        nbformat.write(prepared, copy)
    options = ("--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=120", "-p", "no:cacheprovider")
    result = call("python", "-m", "pytest", "-q", *options, *copies, cwd=tmp_path)
    assert result.returncode == 0, result.stdout
    if LABS[3] in labs:
        starts = [
            json.loads(run.read_text(encoding="utf-8"))["parameters"]["start"]
            for run in home.glob("03_srgan/smoke*/run.json")
        ]
        assert set(starts) == {"01_srresnet/smoke"}


# The recipes esrdgan and blind in the size of smoke; both start with a new generator.
SMALL = {
    "iters": 10,
    "backbone": "random",
    "d_features": 16,
    "photos": "astronaut",
    "num_blocks": 1,
    "num_features": 16,
}
SMALL |= {"growth": 8, "batch": 4, "patch": 32, "validate_every": 20}


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("lab", "changes"),
    [
        ("02_content_loss", {"normalize": False, "pixel_weight": 10.0}),
        ("03_srgan", {"discriminator": "srgan", "gan": "hinge"}),
        ("03_srgan", {"adversarial_weight": 0.0}),
        ("04_esrgan", {"adversarial_weight": 0.0, "pretrain_iters": 0}),
        ("04_esrgan", SMALL | {"recipe": "esrdgan", "run": "esrdgan"}),
        ("04_esrgan", SMALL | {"recipe": "blind", "run": "blind"}),
    ],
    ids=["02 plain input", "03 other game", "03 without D", "04 without D", "04 esrdgan", "04 blind"],
)
def test_lab_runs_with_suggested_changes(tmp_path, lab, changes):
    execute(
        ROOT / "notebooks" / f"{lab}.ipynb", tmp_path / "out.ipynb", {"recipe": "smoke"} | changes, "not-in-studies"
    )
    if "run" in changes:
        recipe = srlab.Run(lab, changes["run"]).manifest()["parameters"]
        assert recipe["discriminator"]["network"] == "VGGDiscriminator"
        assert recipe["gan"] == {"esrdgan": "rgan", "blind": "vanilla"}[changes["run"]]
        made = {"esrdgan": {"method": "bicubic-aliased"}, "blind": {"blur": [0.2, 3.0]}}[changes["run"]]
        assert recipe["sampler"]["degradation"].items() >= made.items()
        assert recipe["features"]["layers"] == "vgg19 conv5_4"


@pytest.mark.nightly
def test_extra_runs_without_published_weights(tmp_path, monkeypatch):
    """Hide the package behind an empty one; random numbers take the place of the weights."""
    empty = tmp_path / "packages" / realesrgan.PACKAGE.replace("-", "_")
    empty.mkdir(parents=True)
    (empty / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(empty.parent), str(ROOT)]))
    monkeypatch.setenv("SRLAB_DATA", str(tmp_path / "data"))
    (extra,) = [lab for lab in EXTRAS if lab.stem == "from_the_paper"]
    execute(extra, tmp_path / "out.ipynb", {"recipe": "smoke"})
    assert "the compact network with random numbers as weights" in (tmp_path / "out.ipynb").read_text(encoding="utf-8")


@pytest.mark.nightly
def test_solved_lab_03_trains_with_the_run_of_its_exercise(tmp_path, home):
    notebook = read_notebook(LABS[3])
    fill_in(notebook)
    nbformat.write(notebook, tmp_path / LABS[3].name)
    execute(tmp_path / LABS[3].name, tmp_path / "out.ipynb", {"recipe": "smoke"}, "not-in-studies")
    recorded = srlab.Run("03_srgan", "smoke").manifest()["parameters"]
    assert {"train_gan", "train_step", "PatchDiscriminator"} < defined_in(read_code(srlab.Run("03_srgan", "smoke")))
    assert recorded["features"]["layers"] == "vgg6 conv2_2"
    assert {"d_loss", "g_loss", "d_real", "d_fake"} < srlab.Run("03_srgan", "smoke").metrics()[1].keys()


@pytest.mark.nightly
def test_make_labs_in_path_with_spaces(call, tmp_path):
    """Run the README's first command in a copy that uses the environment of this checkout."""
    course = tmp_path / "my own course"
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode or not (ROOT / ".venv").exists():
        pytest.skip("needs a git checkout with a .venv created by make")
    for name in tracked.stdout.split("\n"):
        if (ROOT / name).is_file() and not re.match(r"notebooks/(0[2-9]|extras/)", name):  # two labs are enough
            (course / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, course / name)
    for lab in LABS[:2]:
        notebook = read_notebook(lab)
        fill_in(notebook)  # so that no exercise falls back to its reference
        notebook.cells = [cell for cell in notebook.cells if "not-in-studies" not in cell.metadata.get("tags", [])]
        nbformat.write(notebook, course / "notebooks" / lab.name)
    (course / ".venv").symlink_to(ROOT / ".venv")
    environment = {"SRLAB_HOME": str(course / "runs"), "SRLAB_STRICT": "1"}
    result = call("make", "-o", ".venv/ready", "labs", "RECIPE=smoke", cwd=course, **environment)
    assert result.returncode == 0, result.stdout
    form = r"^(\S+) +\d+ s +\d\.\d GiB +.*: -?\d+\.\d\d dB +runs/notebooks/smoke/\1\.ipynb"
    assert sorted(re.findall(form, result.stdout, re.M)) == ["00_degradation", "01_srresnet"]
    assert (course / "runs" / "01_srresnet" / "smoke" / "generator.safetensors").is_file()


def test_paper_recipes_use_layers_of_papers():
    """Check the layers: SRGAN after the activation (Ledig 2017: VGG22 and VGG54), ESRGAN before (Wang 2018, 3.3)."""
    wanted = {"02_content_loss": "relu2_2", "03_srgan": "relu5_4", "04_esrgan": "conv5_4"}
    recipes = {lab: read_book(ROOT / "notebooks" / "recipes" / f"{lab}.py").recipes["paper"] for lab in wanted}
    found = {lab: recipe.features for lab, recipe in recipes.items()}
    assert found == {lab: f"vgg19 {layer}" for lab, layer in wanted.items()}


def test_lab_05_psnr_cell_matches_package():
    """Check the cell that computes PSNR in two steps (error and decibels), so that each can be wrong on purpose."""
    (cell,) = [c.source for c in nbformat.read(LABS[5], 4).cells if "def squared_error" in c.source]
    scope = {"srlab": srlab}
    exec(cell, scope)
    sr, hr = torch.rand(2, 1, 3, 24, 32, generator=torch.Generator().manual_seed(0))
    found = scope["decibels"](scope["squared_error"](sr, hr))
    assert found == pytest.approx(srlab.psnr(sr, hr).item(), abs=1e-4)
