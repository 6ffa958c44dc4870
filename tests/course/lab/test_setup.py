"""Test course.setup: mistakes are caught wherever they were typed, and equal values give the same run."""

import ast
import copy
import functools
import inspect
import re
import shutil
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import nbformat
import papermill.cli
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

import srlab
import srlab_course as course
from srlab.data import datasets
from srlab.errors import SrlabError
from srlab_course.lab import photos
from srlab_course.lab.parameters import injected_settings
from srlab_course.lab.recipes import read_book
from srlab_course.material import subjects
from tests.conftest import LABS, ROOT, leave_run

FOUR = ["astronaut", "chelsea", "text", "brick"]


@functools.cache
def cell_of(lab):
    """Return the parameters cell of the notebook."""
    cells = nbformat.read(ROOT / "notebooks" / f"{lab}.ipynb", 4).cells
    return next(cell.source for cell in cells if "parameters" in cell.metadata.get("tags", []))


def namespace(lab, **given):
    """Return the names defined when setup runs: modules, IPython's names, the cell's, and those given."""
    scope = {"torch": torch, "In": ["", "x = 1"], "Out": {}, "_": 3, "_i1": "x = 1"}
    exec(cell_of(lab), scope)
    return scope | given


@functools.cache
def decoded(read, *arguments):
    return read(*arguments)


@pytest.fixture(autouse=True)
def photos_are_decoded_once_and_no_weights_are_there(monkeypatch, hub):
    monkeypatch.setattr(srlab, "bundled_photos", functools.partial(decoded, datasets.bundled_photos))
    monkeypatch.setattr(photos, "split_photo", functools.partial(decoded, subjects.split_photo))


def setup(lab, **given):
    """Return the lab, on the CPU in float32 on any machine. Settings that are not parameters are overrides."""
    known = read_book(ROOT / "notebooks" / "recipes" / f"{lab}.py").parameters
    overrides = {name: given.pop(name) for name in [*given] if name not in known}
    usual = {"device": "cpu", "precision": "fp32", "overrides": overrides}
    return course.setup(lab, namespace(lab, **{name: usual[name] for name in usual if name in known} | given))


def save_pairs(folder, *sizes, seed=0):
    """Write HR and LR images of noise into HR/ and LRx4/."""
    torch.manual_seed(seed)
    for name, (height, width) in zip("abc", sizes, strict=False):
        srlab.write_image(torch.rand(3, height // 4, width // 4), folder / "LRx4" / f"{name}.png")
        torch.manual_seed(0)
        srlab.write_image(torch.rand(3, height, width), folder / "HR" / f"{name}.png")
    return str(folder)


@pytest.fixture
def photo(tmp_path):
    """Write a photo and return its path."""

    def write(path="own.png", seed=0, height=120, width=340):
        torch.manual_seed(seed)
        return srlab.write_image(torch.rand(3, height, width), tmp_path / path)

    return write


@pytest.mark.parametrize("lab", [lab.stem for lab in LABS])
def test_parameters_cell_has_recipe_defaults(lab):
    declared = {one.targets[0].id: ast.literal_eval(one.value) for one in ast.parse(cell_of(lab)).body}
    book = read_book(ROOT / "notebooks" / "recipes" / f"{lab}.py")
    assert declared == book.parameters
    assert setup(lab).is_reference_config


def test_figures_look_the_same_with_own_matplotlib_settings():
    def settings_after_setup(**own):
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            if own:
                plt.style.use(["dark_background", own])
            setup("00_degradation")
            return dict(matplotlib.rcParams)

    own = {"image.origin": "lower", "text.usetex": True, "savefig.transparent": True, "font.size": 30}
    assert settings_after_setup(**own) == settings_after_setup()


# --- Rejected values, and names of runs --------------------------------------------------------------------------

REFUSED = [
    ("00_degradation", {"sede": 5}, r"parameter 'sede' \(did you mean seed\?\)\. Correct it\.$"),
    ("00_degradation", {"photo": "~/no/such.png"}, re.escape(str(Path.home() / "no" / "such.png"))),
    ("00_degradation", {"scale": 5}, "scale=5 must be one of 2, 3, 4, 8"),
    ("00_degradation", {"benchmark": "no/such/set"}, "folder no/such/set not found"),
    ("01_srresnet", {"seed": True}, "seed=True must be a whole number, like its default 0"),
    ("01_srresnet", {"device": 0}, "device=0 must be text, .* pass text that looks like a number with -r"),
    ("01_srresnet", {"overrides": "batch=4"}, "overrides='batch=4' must be a dict, such as {'batch': 4}"),
    ("01_srresnet", {"batch": 0}, "batch=0 must be at least 1"),
    ("01_srresnet", {"blur": [3.0, 0.2]}, r"blur=\[3.0, 0.2\] must be 0 or more"),
    ("01_srresnet", {"jpeg": [60, 80, 95]}, r"jpeg=\[60, 80, 95\] must be a list of 2 numbers"),
    ("01_srresnet", {"parameter_limit": 9}, "MSRResNet has [0-9,]+ parameters, more than the limit of 9"),
    ("01_srresnet", {"learning_rate": float("nan")}, "learning_rate=nan must be a finite number"),
    ("01_srresnet", {"learning_rate": "fast"}, "learning_rate='fast' must be a number"),
    ("01_srresnet", {"overrides": "{batch: 4}"}, "overrides='{batch: 4}' must be a dict, such as {'batch': 4}"),
    ("02_content_loss", {"backbone": "no/such.pth"}, "Weights file no/such.pth not found"),
    ("02_content_loss", {"features": "vgg99 relu1_1"}, "'vgg99 relu1_1' does not start with a network"),
    ("03_srgan", {"discriminator": "vgg", "patch": 48}, "a size that is a multiple of 32, but got 64 and 48"),
    ("03_srgan", {"start": "01_srresnet/none"}, "Cannot start from 01_srresnet/none: no trained run"),
    ("04_esrgan", {"recipe": "papre"}, "Recipe 'papre' not found. Choose auto, laptop"),
    ("04_esrgan", {"recipe": "paper"}, "paper is strict .* 12 photos .* -p images div2k.*random features"),
    ("04_esrgan", {"overrides": {"seed": 4}}, "seed is a notebook parameter, not an override. Write seed = 4"),
    ("04_esrgan", {"overrides": {"fotos": "astronaut"}}, r"'fotos' \(did you mean photos\?\)"),
    ("01_srresnet", {"seed": 2**64}, "seed=18446744073709551616 must be below"),
    ("04_esrgan", {"run": "../x"}, r"not a valid run name\. \w+"),
    ("04_esrgan", {"run": "x" * 101}, "too long. Use at most 100 characters"),
    ("04_esrgan", {"run": "mine-before"}, "for a run that was moved aside"),
]


@pytest.mark.parametrize(("lab", "given", "words"), REFUSED, ids=str)
def test_setup_rejects_invalid_parameters(lab, given, words, home):
    with pytest.raises(SrlabError, match=words):
        setup(lab, **given)
    assert not home.exists()


def test_lab_trains_on_given_pairs(tmp_path, capsys):
    pairs, others = (save_pairs(tmp_path / f"{seed}" / "pairs", (136, 160), seed=seed) for seed in (1, 2))
    lab, other = (setup("01_srresnet", images=folder) for folder in (pairs, others))
    said = "\nLR:      the LR images in pairs, unchanged, but for validation made with"
    assert capsys.readouterr().out.count(said) == 2
    assert lab.train_set.lr.sizes == [(34, 40)]
    assert lab.train_set.fingerprint() == other.train_set.fingerprint()
    assert lab.run != other.run  # the same HR with other LR
    for given in ({"recipe": "blind"}, {"blur": [1, 2]}, {"downsampler": "nearest"}):
        with pytest.raises(SrlabError, match="pairs has LR images, which are not degraded again"):
            setup("01_srresnet", images=pairs, **given)
    with pytest.raises(SrlabError, match=r"makes its LR images from HR\. Pass only the folder HR of pairs"):
        setup("07_one_step", images=pairs)


NAMES = [
    ("00_degradation", {"scale": 2}, "laptop-scale-2"),
    ("01_srresnet", {"blur": [1, 2.5]}, "laptop-blur-1-2.5"),
    ("02_content_loss", {"features": "resnet34 block16"}, "laptop-features-resnet34-block16"),
    ("03_srgan", {"subject": ""}, "laptop-subject"),
    ("03_srgan", {"subject": "brick", "iters": 70, "gan": "hinge"}, "laptop-70-subject-brick-gan-hinge"),
    ("04_esrgan", {}, "default"),
    ("04_esrgan", {"seed": -3, "device": "auto", "photo": ""}, "laptop-seed-minus-3"),
    ("04_esrgan", {"betas": "[0.9, 0.99]", "batch": 4}, "laptop-betas-0.9-0.99-batch-4"),
    ("04_esrgan", {"overrides": '{"betas": [9e-1, 0.99], "batch": 4}'}, "laptop-betas-0.9-0.99-batch-4"),
    ("04_esrgan", {"iters": 5000, "run": "mine"}, "mine"),
]


@pytest.mark.parametrize(("lab", "given", "run"), NAMES, ids=str)
def test_run_name_distinguishes_settings(lab, given, run):
    found = setup(lab, **given)
    assert found.run == run
    changed = {"overrides", "scale"} | set(read_book(ROOT / "notebooks" / "recipes" / f"{lab}.py").lab.values())
    assert found.is_reference_config == (not changed & set(given))
    if "betas" in str(given):
        assert (found.betas, found.batch) == ([0.9, 0.99], 4)


def test_degradation_from_recipe():
    made = {"downsampler": "area", "blur": [1, 2.5], "image_noise": [0.1, 0.1], "jpeg": [60, 95]}
    wanted = srlab.Degradation("area", blur=(1.0, 2.5), noise=0.1, jpeg=(60.0, 95.0))
    assert setup("01_srresnet", **made).degradation == wanted
    assert str(setup("01_srresnet").degradation) == str(srlab.Degradation()), "text, so that an older run resumes"


def test_first_setup_requires_all_parameters():
    scope = namespace("01_srresnet")
    assert course.setup("01_srresnet", scope).run == "default"
    del scope["scale"]
    with pytest.raises(SrlabError, match="Parameter scale is not defined"):
        course.setup("01_srresnet", scope)


@pytest.mark.parametrize("lab", LABS[3:5], ids=lambda lab: lab.stem)
def test_gan_labs_reject_loss_without_parts(lab):
    weights = dict.fromkeys(("pixel_weight", "content_weight", "adversarial_weight"), 0)
    (source,) = [cell.source for cell in nbformat.read(lab, 4).cells if cell.source.startswith("# Setup: ")]
    with pytest.raises(SrlabError, match="All three weights"):
        exec(source, namespace(lab.stem, recipe="smoke", overrides=weights))


@pytest.mark.parametrize(("lab", "scale", "patch"), [("01_srresnet", 4, 32), ("03_srgan", 3, 48), ("04_esrgan", 8, 48)])
def test_patch_fits_scale_and_discriminator(lab, scale, patch):
    assert setup(lab, recipe="smoke", scale=scale, patch=33).patch == patch


def test_lab_attributes_and_suggestions_for_typos():
    lab = setup("01_srresnet")
    assert lab.batch == lab.parameters["batch"] == copy.copy(lab).batch
    assert {"batch", "unseen", "expect"} <= set(dir(lab))
    for slip, words in {"itters": "Did you mean iters", "crowd_size": "It has images, validation"}.items():
        with pytest.raises(AttributeError, match=words):
            getattr(lab, slip)


# --- In a notebook -----------------------------------------------------------------------------------------------


@pytest.fixture
def cells(tmp_path, monkeypatch):
    """Run cells like a notebook; return what the last one displayed and raised."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))

    def run(*sources):
        for source in sources:
            with capture_output() as shown:
                result = shell.run_cell(source, store_history=True)
        return result, shown

    yield run
    InteractiveShell.clear_instance()


SETUP = "import srlab_course as course; lab = course.setup('04_esrgan', globals()); lab"


def test_setup_announces_training(cells):
    result, shown = cells(cell_of("04_esrgan"), "device = 'cpu'; precision = 'fp32'; launch = 'graph'", SETUP)
    told = (f"srlab {srlab.__version__}", "recipe:  laptop", "800 steps of 8 patches of 32 px", "left half of gravel")
    for words in (*told, "right half of gravel (256 x 512 pixels)"):
        assert words in " ".join(shown.stdout.split("\n         "))
    assert "\nrun:     04_esrgan/default\n" in shown.stdout
    assert "laptop" in shown.outputs[0].data["text/html"]
    hardware = {"device": torch.device("cpu"), "precision": "fp32", "launch": "graph"}
    notes = {"lab_run": "default", "recipe": "laptop", "changed": {}, "steps": {"iters": 800, "pretrain_iters": 600}}
    assert result.result.trainer_kwargs == hardware | {"notes": notes}


@pytest.mark.parametrize(
    ("sources", "words", "absent"),
    [
        (("# Parameters\nitters = 3", SETUP), "SrlabError: Unknown parameter 'itters'", "Traceback"),
        ((SETUP, "lab + sampler"), "Run All Above Selected Cell", "frame"),
        ((SETUP, "def f():\n    sampler += 1\nf()"), "UnboundLocalError", "Run All Above"),
    ],
    ids=["typo", "name of a cell above", "local name"],
)
def test_error_in_notebook(cells, sources, words, absent):
    result, shown = cells(cell_of("04_esrgan"), *sources)
    assert result.error_in_exec
    assert words in shown.stdout
    assert absent not in shown.stdout + shown.stderr


@pytest.mark.parametrize(
    ("step", "code", "end"),
    [
        (0, "", "default"),
        (200, "", "200 of 800 steps"),
        (800, "", "not trained again"),
        (
            800,
            "def train_step(): pass",
            "not trained again unless your code or the network that it begins with has changed",
        ),
    ],
)
def test_setup_announces_effect_on_existing_run(capsys, step, code, end):
    (leave_run("04_esrgan", "default", step).path / "code.py").write_text(code, encoding="utf-8")
    setup("04_esrgan")
    (line,) = re.findall("^run: .*", capsys.readouterr().out.replace("\n         ", " "), re.M)
    assert line.endswith(end)


@pytest.mark.parametrize(
    ("lab", "changes", "beyond"),
    [
        ("01_srresnet", {}, ""),
        ("01_srresnet", {"loss": "l1"}, "loss='l1'"),
        ("01_srresnet", {"network": "SRResNet"}, ""),
        ("02_content_loss", {"relative": False}, "relative=False"),
        ("03_srgan", {}, ""),
        ("03_srgan", {"gan": "hinge", "g_every": 2}, "gan='hinge', g_every=2"),
        ("03_srgan", {"label_real": 0.9}, "label_real=0.9"),
        ("04_esrgan", {"pixel": "mse"}, ""),
        ("04_esrgan", {"fusion": 1, "d_features": 48}, "fusion=1, d_features=48"),
    ],
)
def test_setup_announces_settings_that_answers_cannot_follow(capsys, lab, changes, beyond):
    found = setup(lab, **changes)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("code:")]
    said = f"code:    srlab's own in place of the answers, which can't follow {beyond}"
    assert lines == [said] * bool(beyond)
    assert found.beyond_answers == {name: value for name, value in changes.items() if name in beyond}


# --- A named run keeps its recipe ---------------------------------------------------------------------------------


@pytest.fixture
def keep(home):
    """Set up lab 04 with a run "mine", and leave what training would."""

    def leave(name="mine", step=800, **given):
        lab = setup("04_esrgan", run="mine", **given)
        images = {"images": lab.train_set.describe()}
        run = leave_run("04_esrgan", name, step, sampler=images)
        run.write_manifest(run.manifest() | lab.trainer_kwargs["notes"])

    return leave


@pytest.mark.parametrize("name", ["mine", "mine-psnr"])
def test_named_run_continues_with_its_recipe(name, keep, capsys):
    keep(name, gan="hinge")
    lab = setup("04_esrgan", run="mine", iters=9000, gan="hinge")
    assert (lab.recipe, lab.iters) == ("laptop", 9000)
    assert "because  the run mine was made with it" in capsys.readouterr().out
    assert setup("04_esrgan", iters=9000).recipe == "photos", "a new run gets what fits"
    assert setup("04_esrgan", run="mine", gan="hinge", discriminator="patch").recipe == "laptop", "the recipe's value"


def test_named_run_keeps_its_steps_unless_you_pass_others(keep):
    keep(step=20, iters=900, pretrain_iters=700)
    for given, wanted in (({}, (900, 700)), ({"iters": 5000}, (5000, 700)), ({"pretrain_iters": 60}, (900, 60))):
        lab = setup("04_esrgan", run="mine", **given)
        assert (lab.iters, lab.pretrain_iters) == wanted


REFUSED_CHANGES = [
    ({"gan": "hinge", "batch": 4}, {"gan": "hinge"}, "pass -p batch 4"),
    ({"gan": "hinge"}, {"batch": 4}, "pass -p gan hinge and leave out -p batch"),
    ({"blur": [0.2, 3.0]}, {}, "pass -p blur '[0.2, 3.0]'"),
    ({"iters": 9000}, {"recipe": "laptop"}, "pass -p recipe photos"),
    ({"subject": ""}, {}, "pass -p subject ''"),
    ({}, {"seed": 3}, "leave out -p seed"),
    ({}, {"start": ""}, "leave out -p start"),
]


@pytest.mark.parametrize(("before", "now", "advice"), REFUSED_CHANGES, ids=str)
def test_named_run_rejects_other_settings_at_once(before, now, advice, keep):
    keep(**before)
    words = f"'mine' of 04_esrgan was made with other settings. To continue it, {advice}. To train"
    with pytest.raises(SrlabError, match=re.escape(words)):
        setup("04_esrgan", run="mine", **now)
    assert setup("04_esrgan", run="other", **now).run == "other"


def test_run_without_a_step_or_with_moved_photos_is_not_rejected(keep, photo, tmp_path):
    keep(step=0, gan="hinge")
    setup("04_esrgan", run="mine", batch=4)
    folder = photo("train/a.png").parent
    keep(images=str(folder))
    setup("04_esrgan", run="mine", images=str(shutil.copytree(folder, tmp_path / "moved")))
    photo("train/a.png", seed=1)
    with pytest.raises(SrlabError, match="pass -p images"):
        setup("04_esrgan", run="mine")


CELL, RUN = cell_of("04_esrgan"), "course.setup('04_esrgan', globals()).run"
OWN = "data_folder = 'data'; debug = False; itters = 3; batch = 2"


CELLS = {  # the cells that ran -> the name of the run, or the error
    "own names": (OWN, CELL, SETUP, "default"),
    "changed parameter": (CELL, SETUP, CELL + "\niters = 5", SETUP, "laptop-5"),
    "renamed parameter": (CELL.replace("\niters = ", "\nitters = "), SETUP, "Parameter iters is not defined"),
    "injected": (OWN, CELL, "# Parameters\nbatch = 4\niters = 5", "batch = 8", SETUP, "laptop-5-batch-4"),
    "injected again": (CELL, "# Parameters\nbatch = 4", SETUP, "# Parameters\npatch = 48", SETUP, "laptop-patch-48"),
    "with overrides": ("# Parameters\nbatch = 4", f"{CELL}\noverrides = {{'patch': 48}}", "laptop-batch-4-patch-48"),
    "injected typo": (CELL, "# Parameters\nitters = 3", SETUP, "Unknown parameter 'itters' (did you mean iters?)."),
    "injected capitals": (CELL, "# Parameters\nSEED = 3", SETUP, "Unknown parameter 'SEED' (did you mean seed?)"),
    "not a literal": (CELL, "# Parameters\nbatch = float('nan')", SETUP, "The parameter batch=\"float('nan')\" must"),
}


@pytest.mark.parametrize("sources", CELLS.values(), ids=CELLS)
def test_settings_are_parameters_overrides_and_injected(cells, sources):
    *sources, expected = sources
    result, _ = cells("import srlab_course as course", *sources, RUN)
    assert (result.result or str(result.error_in_exec)).startswith(expected)
    assert result.result in (None, expected)


def test_papermill_injects_a_cell_that_setup_recognizes(tmp_path):
    first = nbformat.v4.new_code_cell("# Parameters of a lab\nrun = ''", metadata={"tags": ["parameters"]})
    notebook, done = tmp_path / "lab.ipynb", tmp_path / "done.ipynb"
    cells = [first, nbformat.v4.new_code_cell("print(*In, sep='\\0')")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"language_info": {"name": "python"}}), notebook)
    (tmp_path / "more.yaml").write_text("jpeg: [60, 95]\ngan: hinge", encoding="utf-8")
    typed = ["-p", "batch", "4", "-p", "betas", "[0.9, 0.99]", "-r", "run", "7", "-y", "overrides: {patch: 48}"]
    options = ["-f", str(tmp_path / "more.yaml"), "-k", "python3", "--no-progress-bar"]
    papermill.cli.papermill.main([str(notebook), str(done), *typed, *options], standalone_mode=False)
    inputs = nbformat.read(done, 4).cells[-1].outputs[0].text.split("\0")
    given = {"jpeg": [60, 95], "gan": "hinge", "overrides": {"patch": 48}, "batch": 4, "run": "7"}
    assert injected_settings(inputs) == given | {"betas": "[0.9, 0.99]"}


def test_variables_do_not_count_without_a_history(capsys):
    """Check a script, or nbval, whose client keeps none."""
    assert course.setup("04_esrgan", namespace("04_esrgan", In=[""], batch=4, patch=torch.ones(2))).run == "default"
    assert capsys.readouterr().out.count("Your variable") == 1


def test_own_variable_with_the_name_of_a_setting_gets_a_message(cells):
    _, shown = cells(OWN, CELL, SETUP)
    assert "Your variable batch does not change the recipe. Use overrides = {'batch': 2}." in shown.stdout


def test_show_source_omits_docstring_lists(cells):
    _, shown = cells(
        "import srlab; import srlab_course as course", "course.show_source(srlab.models.SRResNet, srlab.psnr)"
    )
    for output, thing in zip(shown.outputs, (srlab.models.SRResNet, srlab.psnr), strict=True):
        source, first = inspect.getsourcelines(thing)
        place, code = re.fullmatch(r"(.*)```python\n(.*)```", output.data["text/markdown"], re.DOTALL).groups()
        assert f"{Path(inspect.getsourcefile(thing)).relative_to(ROOT).as_posix()}`, line {first}" in place
        assert code.endswith(source[-1])
        assert "-----" not in code


# --- Photos ------------------------------------------------------------------------------------------------------


def test_long_training_on_few_photos_warns(capsys):
    lab = setup("03_srgan")
    assert (lab.train_set.name, lab.unseen.name) == ("left half of gravel", "right half of gravel")
    setup("06_flow")
    assert "WARNING" not in capsys.readouterr().out, "a subject may be memorized"
    setup("03_srgan", iters=100_000)
    assert re.search(r"WARNING: .* on 1\s+photo ", capsys.readouterr().out)
    setup("04_esrgan", iters=5000)
    photos, features = capsys.readouterr().out.replace("\n         ", " ").split("WARNING: ")[1:]
    assert "the small network of the recipe photos for 10,000 steps" in photos
    assert "-p images div2k" in photos
    assert "-p recipe gpu" in photos
    assert "-p backbone imagenet" in features
    assert "recipe: " in features, "the warnings come first"
    course.report_metric("PSNR", 26.0, "dB")
    assert "\nWARNING: This trains" in capsys.readouterr().out, "again, hours later"
    setup("04_esrgan")
    capsys.readouterr()
    course.report_metric("PSNR", 26.0, "dB")
    assert "WARNING" not in capsys.readouterr().out, "only the warnings of the lab that was set up last"


def test_named_photos_replace_subject(photo, monkeypatch, capsys):
    path = photo("home/mine/own.png")
    monkeypatch.setenv("HOME", str(path.parents[1]))
    lab = setup("04_esrgan", images="~/mine", photo="~/mine/own.png")
    assert (lab.subject, lab.train_set.names, lab.unseen.names) == ("", ["own"], FOUR)
    assert re.fullmatch("laptop-images-mine-[0-9a-f]{6}", lab.run)
    assert "not used" not in capsys.readouterr().out
    assert setup("04_esrgan", subject=str(path), images="~/mine").run == lab.run
    assert f"{path} is not used" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "typed", "name"),
    [
        ("notebooks/own.png", "own.png", "own"),
        ("notebooks/own.png", "notebooks/own.png", "own"),
        ("home/im Wäldchen/Blätter (2).png", "~/im Wäldchen/Blätter (2).png", "Bl-tter-2"),
    ],
)
def test_subject_path_is_found_from_any_folder(file, typed, name, photo, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    shutil.copytree(ROOT / "notebooks" / "recipes", tmp_path / "notebooks" / "recipes")
    place = photo(file)
    for here in (tmp_path, tmp_path / "notebooks"):
        monkeypatch.chdir(here)
        lab = setup("03_srgan", subject=typed)
        assert lab.parameters["subject"] == str(place), "lab 05 must find it again"
        assert re.fullmatch(f"laptop-subject-{name}-[0-9a-f]{{6}}", lab.run)


def test_photos_and_starts_with_equal_names_get_separate_runs(photo):
    first, other, moved = photo("a/leaf.png"), photo("b/leaf.png", seed=1), photo("c/leaf.png")
    runs = [setup("04_esrgan", subject=str(path)).run for path in (first, other, moved, first)]
    decoded.cache_clear()
    photo("a/leaf.png", seed=2)  # changed
    assert runs[0] == runs[3]
    assert len({*runs, setup("04_esrgan", subject=str(first)).run}) == 4
    folders = [setup("01_srresnet", validation=str(path.parent)).run for path in (first, other, first)]
    assert folders[0] == folders[2] != folders[1]
    about = {"images": srlab.bundled_photos("train").describe(), "degradation": srlab.Degradation().describe()}
    leave_run("02_content_loss", "mine", 9, generator={"network": "MSRResNet", "scale": 4}, sampler=about)
    assert setup("03_srgan", start="02_content_loss/mine", subject="").run.endswith("start-02_content_loss-mine")


def test_too_small_photos_are_reported_before_training(capsys, photo):
    for name, side in (("large", 64), ("small", 40)):
        val = photo(f"val/{name}.png", height=side, width=side)
        train = photo(f"train/{name}.png", height=side // 2, width=200)
    lab = setup("04_esrgan", images=str(train.parent), validation=str(val.parent), iters=10)
    left_out = re.findall(r"Left out of (\w+) .* (\d+) pixels: small", capsys.readouterr().out)
    assert left_out == [("train", "32"), ("val", "48")]
    assert (lab.train_set.names, lab.unseen.names) == (["large"], ["large"])
    with pytest.raises(SrlabError, match=r"small.png is 40 x 40. .* 64 pixels"):
        setup("04_esrgan", photo=str(val))


def test_training_and_validation_photos_are_disjoint(photo):
    train, other = photo("train/other.png"), photo("val/other.png", seed=1)
    folders = {"images": str(train.parent), "validation": str(other.parent)}
    assert setup("03_srgan", **folders).unseen.names == ["other"], "another photo with the same name"
    again = photo("again/another.png").parent
    with pytest.raises(SrlabError, match="another of again is training photo other of train"):
        setup("03_srgan", **folders | {"validation": str(again), "center_crop": 64})
