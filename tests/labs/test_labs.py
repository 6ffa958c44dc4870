"""The labs run: chained and alone, from the root and from notebooks/, and refuse what they cannot do.

The chain has all cells and leaves all exercises as they are. Where a lab runs alone they are solved, `STRICT` would say
if not, and cells that only explore are left out.
"""

import json
import re
import shutil
import subprocess

import nbformat
import papermill
import pytest
import torch

import srlab
from srlab.cli.papermill import execute, read_headline
from srlab.cli.recipes import read_book

from .conftest import LABS, ROOT

STRICT = "SRLAB_STRICT"
AGAIN = """\
assert srlab.setup("{0}", globals()).run == lab.run == "smoke"
sseed = 5
try:
    srlab.setup("{0}", globals())
except srlab.SrlabError as error:
    said = str(error)
assert "Unknown parameter 'sseed' (did you mean seed?)" in said
"""


def options(parameters):
    """Parameters as papermill takes them."""
    return [word for name, value in parameters.items() for word in ("-p", name, value)]


@pytest.mark.long
def test_nbval_over_the_prepared_labs_in_order(call, tmp_path):
    """Papermill writes the parameters in, nbval runs the copies as one chain and compares the kept outputs."""
    for lab in LABS:
        copy = str(tmp_path / lab.name)
        papermill.execute_notebook(str(lab), copy, {"recipe": "smoke"}, prepare_only=True, progress_bar=False)
        prepared = nbformat.read(copy, 4)  # setup may run again, and takes no variable of the lab for a slip
        prepared.cells.append(nbformat.v4.new_code_cell(AGAIN.format(lab.stem)))
        nbformat.write(prepared, copy)
    options = ("--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=120", "-p", "no:cacheprovider")
    result = call("python", "-m", "pytest", "-q", *options, *[tmp_path / lab.name for lab in LABS], cwd=tmp_path)
    assert result.returncode == 0, result.stdout
    compared = [
        cell for lab in LABS for cell in nbformat.read(lab, 4).cells if "nbval-check-output" in str(cell.metadata)
    ]
    assert len(compared) >= 2 * len(LABS)
    gans = [json.loads(run.read_text()) for run in (tmp_path / "runs" / "03_srgan").glob("smoke*/run.json")]
    assert {run["parameters"]["start"] for run in gans} == {"01_srresnet/smoke"}, "what was loaded is what is recorded"


# Labs that look for what another lab left, one of them with another game that it suggests.
@pytest.mark.long
@pytest.mark.parametrize(
    ("lab", "changes"),
    [("03_srgan", {"discriminator": "srgan", "gan": "hinge"}), ("05_evaluation", {})],
    ids=["03 with another game", "05"],
)
def test_lab_alone_from_the_folder_of_the_notebooks(call, tmp_path, without_exploring, solved, lab, changes):
    result = call(
        *("python", "-m", "papermill", "-p", "recipe", "smoke", *options(changes)),
        *(solved(without_exploring(lab)), tmp_path / "out.ipynb"),
        cwd=ROOT / "notebooks",
        **{STRICT: "1"},
    )
    assert result.returncode == 0, result.stdout
    executed = nbformat.read(tmp_path / "out.ipynb", 4)
    assert read_headline(executed)["peak_memory_mib"] < 4 * 1024
    assert not (ROOT / "notebooks" / "runs").exists(), "a lab writes only into the folder of the runs"


@pytest.mark.long
def test_lab_02_runs_through_with_plain_input_and_pixels_as_it_suggests(
    tmp_path, without_exploring, solved, monkeypatch
):
    monkeypatch.setenv(STRICT, "1")
    lab = solved(without_exploring("02_content_loss"))
    execute(lab, tmp_path / "out.ipynb", {"recipe": "smoke", "normalize": False, "pixel_weight": 10})


@pytest.mark.long
def test_lab_03_runs_through_without_d(tmp_path, without_exploring):
    lab = without_exploring("03_srgan")
    execute(lab, tmp_path / "out.ipynb", {"recipe": "smoke", "adversarial_weight": 0})


@pytest.mark.long
def test_lab_04_runs_through_without_d_and_without_a_psnr_stage_and_says_so(tmp_path, without_exploring):
    given = {"recipe": "smoke", "adversarial_weight": 0, "pretrain_iters": 0}
    execute(without_exploring("04_esrgan"), tmp_path / "out.ipynb", given)
    said = str([cell.get("outputs") for cell in nbformat.read(tmp_path / "out.ipynb", 4).cells])
    for words in ("so it is no ESRGAN", "so there is no PSNR stage", "There is no D in this run"):
        assert words in said


@pytest.mark.long
@pytest.mark.parametrize("name", ["esrdgan", "blind"])
def test_lab_04_runs_through_with_the_recipes_of_others_in_small(
    name, tmp_path, without_exploring, solved, monkeypatch
):
    """The recipe's losses, networks and LR images, at the size of smoke; both begin with a fresh generator."""
    small = {"recipe": name, "run": name, "iters": 10, "backbone": "random", "d_features": 16, "photos": "astronaut"}
    small |= {"blocks": 1, "width": 16, "growth": 8, "batch": 4, "patch": 32, "validate_every": 20, "probe_iters": 2}
    monkeypatch.setenv(STRICT, "1")
    execute(solved(without_exploring("04_esrgan")), tmp_path / "out.ipynb", small)
    recipe = json.loads((tmp_path / "runs" / "04_esrgan" / name / "run.json").read_text())["parameters"]
    assert recipe["discriminator"]["network"] == "VGGDiscriminator"
    assert recipe["gan"] == {"esrdgan": "relativistic", "blind": "vanilla"}[name]
    made = {"esrdgan": "method='bicubic-aliased'", "blind": "blur=(0.2, 3.0)"}[name]
    assert made in recipe["sampler"]["degradation"]
    assert recipe["features"]["layers"] == "vgg19 conv5_4"


@pytest.mark.long
def test_make_labs_works_from_a_path_with_spaces(call, tmp_path, without_exploring, solved):
    """The README's first command, chained from the root; the environment is borrowed from this checkout."""
    course = tmp_path / "my own course"
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode or not (ROOT / ".venv").exists():
        pytest.skip("needs a git checkout with the .venv that make has made")
    for name in tracked.stdout.split("\n"):
        if (ROOT / name).is_file() and not re.match(r"notebooks/0[2-9]", name):  # two labs are enough of a chain
            (course / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, course / name)
    for lab in LABS[:2]:
        solved(without_exploring(lab.stem), course / "notebooks" / lab.name)
    (course / ".venv").symlink_to(ROOT / ".venv")
    environment = {"SRLAB_HOME": str(course / "runs"), STRICT: "1"}
    result = call("make", "-o", ".venv/ready", "labs", "RECIPE=smoke", cwd=course, **environment)
    assert result.returncode == 0, result.stdout
    rows = [line for line in result.stdout.splitlines() if "  " in line]
    assert sorted(row.split()[0] for row in rows) == ["00_degradation", "01_srresnet"]  # the first to end is the first
    for row in rows:
        assert re.search(r"\d+ s +\d\.\d GiB +.*: -?\d+\.\d\d dB +runs/notebooks/smoke/\d\d_\w+\.ipynb", row), row
    assert (course / "runs" / "01_srresnet" / "smoke" / "generator.safetensors").is_file()


def test_papermill_with_a_wrong_parameter_fails_with_one_sentence(call, tmp_path):
    result = call("python", "-m", "papermill", "-p", "itres", 5, LABS[1], tmp_path / "out.ipynb")
    assert result.returncode != 0
    for word in ("Unknown parameter 'itres'", "did you mean iters?", "learning_rate", "precision"):
        assert word in result.stdout


def test_the_recipes_of_the_papers_look_through_their_layers():
    """SRGAN after the activation (Ledig 2017: VGG22 and VGG54), ESRGAN before it (Wang 2018, section 3.3)."""
    wanted = {"02_content_loss": "relu2_2", "03_srgan": "relu5_4", "04_esrgan": "conv5_4"}
    recipes = {lab: read_book(ROOT / "notebooks" / "recipes" / f"{lab}.yaml").recipes["paper"] for lab in wanted}
    found = {lab: recipe["values"]["features"] for lab, recipe in recipes.items()}
    assert found == {lab: f"vgg19 {layer}" for lab, layer in wanted.items()}


def test_the_switches_of_lab_05_begin_with_the_psnr_of_the_package():
    """Its cell has a PSNR in two steps, an error and its decibels, so that each can be got wrong on purpose."""
    (cell,) = [c.source for c in nbformat.read(LABS[5], 4).cells if "def squared_error" in c.source]
    scope = {"srlab": srlab}
    exec(cell, scope)
    sr, hr = torch.rand(2, 1, 3, 24, 32, generator=torch.Generator().manual_seed(0))
    found = scope["decibels"](scope["squared_error"](sr, hr))
    assert found == pytest.approx(srlab.psnr(sr, hr).item(), abs=1e-4)
