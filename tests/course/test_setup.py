"""course.setup: a slip is caught wherever it was typed, and the same values make the same run."""

import ast
import copy
import functools
import inspect
import re
import shutil
from pathlib import Path

import nbformat
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

import srlab
from srlab import course
from srlab.course.execute import read_headline
from srlab.course.recipes import read_book
from srlab.data import datasets, subjects
from srlab.errors import SrlabError
from srlab.models import SRResNet
from tests.conftest import LABS, ROOT, leave_run

FOUR = ["astronaut", "chelsea", "text", "brick"]


@functools.cache
def cell_of(lab):
    """The cell of parameters, as it stands in the notebook."""
    cells = nbformat.read(ROOT / "notebooks" / f"{lab}.ipynb", 4).cells
    return next(cell.source for cell in cells if "parameters" in cell.metadata.get("tags", []))


def namespace(lab, **given):
    """What a notebook has defined when its setup runs: modules, what IPython brings, the cell, and what was given."""
    scope = {"torch": torch, "In": ["", "x = 1"], "Out": {}, "_": 3, "_i1": "x = 1"}
    exec(cell_of(lab), scope)
    return scope | given


@functools.cache
def decoded(read, *arguments):
    return read(*arguments)


@pytest.fixture(autouse=True)
def photos_are_decoded_once_and_no_weights_are_there(monkeypatch, hub):
    for room, name in ((datasets, "photos"), (subjects, "halves")):
        monkeypatch.setattr(srlab, name, functools.partial(decoded, getattr(room, name)))


def setup(lab, **given):
    """The lab, on the CPU in float32, wherever the tests run."""
    usual = {"device": "cpu", "precision": "no"}
    usual = {name: value for name, value in usual.items() if re.search(rf"^{name} = ", cell_of(lab), re.M)}
    return course.setup(lab, namespace(lab, **usual | given))


@pytest.fixture
def photo(tmp_path):
    """Writes a photo, and gives its path."""

    def write(path="own.png", seed=0, height=120, width=340):
        torch.manual_seed(seed)
        return srlab.write_image(torch.rand(3, height, width), tmp_path / path)

    return write


@pytest.mark.parametrize("lab", [lab.stem for lab in LABS])
def test_the_cell_of_a_lab_has_the_defaults_that_it_is_checked_by(lab):
    statements = ast.parse(cell_of(lab)).body
    declared = {one.targets[0].id: ast.literal_eval(one.value) for one in statements}
    book = read_book(ROOT / "notebooks" / "recipes" / f"{lab}.yaml")
    assert list(declared.items()) == list(book.parameters.items())
    assert setup(lab).as_tried


# --- Values that are refused, and names of runs ------------------------------------------------------------------

REFUSED = [
    ("00_degradation", {"sede": 5}, r"parameter 'sede' \(did you mean seed\?\); correct it, and run `del sede` or"),
    ("00_degradation", {"xyzzy": None}, r"Unknown parameter 'xyzzy'; correct it.* This lab has recipe, "),
    ("00_degradation", {"photo": "~/no/such.png"}, re.escape(str(Path.home() / "no" / "such.png"))),
    ("00_degradation", {"scale": 5}, "scale=5 must be one of 2, 3, 4, 8"),
    ("00_degradation", {"benchmark": "no/such/set"}, "no folder no/such/set"),
    ("05_evaluation", {"runs": "01_srresnet/none"}, "There is no run 01_srresnet/none"),
    ("01_srresnet", {"seed": True}, "seed=True must be a whole number, like its default 0"),
    ("01_srresnet", {"device": 0}, "device=0 must be text, .* Papermill takes text that looks like a number with -r"),
    ("01_srresnet", {"tricks": "batch=4"}, "tricks='batch=4' must be a dict, such as {'batch': 4}"),
    ("01_srresnet", {"tricks": '{"batch": 4'}, "tricks='{\"batch\": 4' must be a dict"),
    ("01_srresnet", {"batch": 0}, "batch=0 must be at least 1"),
    ("01_srresnet", {"blur": [3.0, 0.2]}, r"blur=\[3.0, 0.2\] must be 0 or more"),
    ("01_srresnet", {"jpeg": [60, 80, 95]}, r"jpeg=\[60, 80, 95\] must be a list of 2 numbers"),
    ("01_srresnet", {"loss": "ssim"}, "loss='ssim' must be one of mse, l1, charbonnier"),
    ("01_srresnet", {"parameter_limit": 9}, "MSRResNet has [0-9,]+ parameters, more than the limit of 9"),
    ("01_srresnet", {"learning_rate": float("nan")}, "learning_rate=nan must be a finite number"),
    ("01_srresnet", {"learning_rate": "2e-4"}, "learning_rate='2e-4' must be a number"),  # YAML 1.1 makes that of 2e-4
    ("02_content_loss", {"backbone": "no/such.pth"}, "There is no weights file no/such.pth"),
    ("03_srgan", {"discriminator": "vgg", "patch": 48}, "a size that is a multiple of 32, not 64 and 48"),
    ("03_srgan", {"start": "01_srresnet/none"}, "start=01_srresnet/none won't do: there is no trained run"),
    ("04_esrgan", {"recipe": "papre"}, "no recipe 'papre'; choose auto, laptop"),
    ("04_esrgan", {"recipe": "paper"}, "paper allows no warnings.* 12 photos .* -p images div2k.*random features"),
    ("04_esrgan", {"tricks": {"seed": 4}}, "seed is a parameter and not a trick; write seed = 4"),
    ("04_esrgan", {"tricks": {"fotos": "astronaut"}}, r"'fotos' \(did you mean photos\?\)"),
    ("04_esrgan", {"run": "../x"}, r"no good name for a run; \w+"),
    ("04_esrgan", {"run": "x" * 101}, "too long; use one of at most 100 letters"),
]


@pytest.mark.parametrize(("lab", "given", "words"), REFUSED, ids=lambda one: one if isinstance(one, str) else str(one))
def test_what_makes_no_sense_is_refused_in_one_sentence(lab, given, words, home):
    with pytest.raises(SrlabError, match=words):
        setup(lab, **given)
    assert not home.exists()


NAMES = [
    ("00_degradation", {"scale": 2}, "laptop-scale-2"),
    ("01_srresnet", {"blur": [1, 2.5]}, "laptop-blur-1-2.5"),
    ("02_content_loss", {"features": "resnet34 -stage1 block16"}, "laptop-features-resnet34-without-stage1-block16"),
    ("03_srgan", {"subject": ""}, "laptop-subject"),
    ("03_srgan", {"subject": "brick", "iters": 700, "noise": 0.0}, "laptop-700-subject-brick-noise-0.0"),
    ("04_esrgan", {}, "default"),
    ("04_esrgan", {"seed": -3, "device": "auto", "photo": ""}, "laptop-seed-minus-3"),
    ("04_esrgan", {"betas": "[0.9, 0.99]", "batch": 4}, "laptop-batch-4-betas-0.9-0.99"),
    ("04_esrgan", {"batch": 4, "tricks": {"betas": [0.9, 0.99]}}, "laptop-batch-4-betas-0.9-0.99"),
    ("04_esrgan", {"iters": 5000, "run": "mine"}, "mine"),
]


@pytest.mark.parametrize(("lab", "given", "run"), NAMES, ids=str)
def test_another_training_gets_another_name_and_the_same_values_the_same(lab, given, run):
    found = setup(lab, **given)
    assert found.run == run
    changed = {"tricks", "scale"} | set(read_book(ROOT / "notebooks" / "recipes" / f"{lab}.yaml").meaning)
    assert found.as_tried == (not changed & set(given))
    if "betas" in str(given):
        assert (found.betas, found.batch) == ([0.9, 0.99], 4)


def test_how_lr_is_made_is_taken_from_the_recipe_and_is_that_of_the_papers_by_default():
    made = {"downsampler": "area", "blur": [1, 2.5], "lr_noise": [0.1, 0.1], "jpeg": [60, 95]}
    wanted = srlab.Degradation("area", blur=(1.0, 2.5), noise=0.1, jpeg=(60.0, 95.0))
    assert setup("01_srresnet", **made).degradation == wanted
    assert str(setup("01_srresnet").degradation) == str(srlab.Degradation()), "as text, too: a run made before goes on"


def test_first_setup_needs_all_parameters_and_leaves_modules_and_constants_alone():
    scope = namespace("01_srresnet", nn=torch.nn, _mine=3, MEAN=(0.5, 0.5))
    assert course.setup("01_srresnet", scope).run == "default"
    del scope["scale"]
    with pytest.raises(SrlabError, match=r"no scale here: run the cell with the parameters .* line scale = 4"):
        course.setup("01_srresnet", scope)


def test_later_setup_reads_entries_of_the_first_and_leaves_other_variables_alone(capsys):
    scope = namespace("03_srgan") | {"batch": 4}  # typed among the parameters, or passed by papermill
    scope["lab"] = course.setup("03_srgan", scope)
    assert scope["lab"].run == "laptop-batch-4"
    scope |= {"scores": {}, "frames": [1, 2], "itters": 3, "name": "gravel", "noise": 0.3, "batch": 8}
    assert course.setup("03_srgan", scope).run == "laptop-batch-8"
    told = "Your variable noise does not change the recipe; tricks = {'noise': 0.3} would."
    assert told in capsys.readouterr().out
    assert (
        course.setup("03_srgan", scope | {"tricks": {"blocks": 2}, "seed": 2}).run == "laptop-seed-2-blocks-2-batch-8"
    )


@pytest.mark.parametrize("lab", LABS[3:5], ids=lambda lab: lab.stem)
def test_the_labs_of_gans_refuse_in_the_cell_of_their_setup_a_loss_without_any_part(lab):
    weights = dict.fromkeys(("pixel_weight", "content_weight", "adversarial_weight"), 0)
    (source,) = [cell.source for cell in nbformat.read(lab, 4).cells if cell.source.startswith("# Setup: ")]
    with pytest.raises(SrlabError, match="All three weights of G's loss are 0"):
        exec(source, namespace(lab.stem, recipe="smoke", **weights))


@pytest.mark.parametrize(("lab", "scale", "patch"), [("01_srresnet", 4, 32), ("03_srgan", 3, 48), ("04_esrgan", 8, 48)])
def test_a_patch_is_whole_lr_pixels_and_one_for_d_the_next_that_it_can_halve_four_times(lab, scale, patch):
    assert setup(lab, recipe="smoke", scale=scale, patch=33).patch == patch


def test_a_lab_knows_the_numbers_of_its_recipe_and_names_those_near_a_slip():
    lab = setup("01_srresnet")
    assert lab.batch == lab.parameters["batch"] == copy.copy(lab).batch
    assert {"batch", "unseen", "expect"} <= set(dir(lab))
    for slip, words in {"itters": "did you mean iters?", "crowd_size": "it has recipe, iters"}.items():
        with pytest.raises(AttributeError, match=f"^The lab 01_srresnet has no {slip}; {re.escape(words)}"):
            getattr(lab, slip)


# --- In a notebook -----------------------------------------------------------------------------------------------


@pytest.fixture
def cells(tmp_path, monkeypatch):
    """Runs cells as a notebook does, and gives what the last one showed and raised."""
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


SETUP = "from srlab import course; lab = course.setup('04_esrgan', globals()); lab"


def test_setup_says_what_is_trained_on_what_how_long_and_why(cells):
    result, shown = cells(cell_of("04_esrgan"), "device = 'cpu'; precision = 'no'; compiled = 'default'", SETUP)
    for words in (
        f"srlab {srlab.__version__}, torch ",
        "recipe:  laptop, a small network, minutes on two CPU cores\n",
        "(only if there's no start yet), then 800 steps of 8 patches of 32 px, on the left half of gravel",
        "shows:   the right half of gravel (256 x 512 pixels), on which it never trains\n",
        "run:     04_esrgan/default\n",
    ):
        assert words in shown.stdout
    assert "The recipe <b>laptop</b> as a table" in shown.outputs[0].data["text/html"]
    assert result.result.hardware == {"device": torch.device("cpu"), "precision": "no", "compiled": "default"}


def test_a_slip_is_one_sentence_without_the_frames_inside_srlab(cells):
    result, shown = cells(cell_of("04_esrgan"), "# Parameters\nitters = 3\n", SETUP)
    assert isinstance(result.error_in_exec, SrlabError)
    assert "Traceback" not in shown.stdout + shown.stderr
    assert "SrlabError: Unknown parameter 'itters'" in shown.stdout


def test_of_a_run_that_is_there_setup_says_what_will_happen(capsys):
    for step, words in {
        0: "",
        200: ", which goes on: it has 200 of 800 steps",
        800: ", which is there with 800 of 800 steps: nothing is trained anew",
    }.items():
        leave_run("04_esrgan", "default", step)
        setup("04_esrgan")
        assert f"run:     04_esrgan/default{words}\n" in capsys.readouterr().out


def test_show_prints_the_source_without_the_lists_of_its_docstring_and_where_it_stands(cells):
    _, shown = cells("import srlab; from srlab import course", "course.show(srlab.models.SRResNet, srlab.psnr)")
    for output, thing in zip(shown.outputs, (SRResNet, srlab.psnr), strict=True):
        source, first = inspect.getsourcelines(thing)
        file = Path(inspect.getsourcefile(thing)).relative_to(ROOT).as_posix()
        text = output.data["text/markdown"]
        assert text.startswith(f"`{thing.__name__}`, from `{file}`, line {first}:\n\n```python\n{source[0]}")
        assert text.endswith(f"{source[-1]}```")
        ast.parse(re.search(r"```python\n(.*)```", text, re.DOTALL)[1])
        assert "-----" not in text


def test_the_last_headline_is_read_back_from_the_executed_notebook(cells):
    _, shown = cells(
        "from srlab import course", "course.headline('first', 1.0); course.headline('PSNR over bicubic', 1.23456, 'dB')"
    )
    outputs = [nbformat.v4.new_output("display_data", output.data) for output in shown.outputs]
    lab = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", outputs=made) for made in (outputs, [])])
    figures = read_headline(lab)
    assert figures.pop("peak_memory_mib") > 0
    assert figures == {"label": "PSNR over bicubic", "value": 1.23456, "unit": "dB"}
    assert outputs[1].data["text/plain"] == "PSNR over bicubic: 1.23 dB"
    with pytest.raises(SrlabError, match="left no headline"):
        read_headline(nbformat.v4.new_notebook())


# --- Photos ------------------------------------------------------------------------------------------------------


def test_a_subject_is_one_photo_in_halves_unless_others_are_named_or_a_training_is_long(capsys, photo):
    lab = setup("03_srgan")
    halves = ("left half of gravel", "right half of gravel")
    assert (lab.subject, lab.train_set.name, lab.unseen.name) == ("gravel", *halves)
    assert "WARNING" not in capsys.readouterr().out, "a subject is to be learned by heart"
    setup("03_srgan", iters=100_000)
    assert "WARNING: 1 photos" in capsys.readouterr().out, "but not for so long"
    for given in ({"subject": ""}, {"recipe": "photos"}, {"iters": 2000}):
        lab = setup("04_esrgan", **given)
        assert "on 12 photos inside scikit-image and matplotlib" in capsys.readouterr().out
        assert (len(lab.train_set), lab.unseen.names) == (12, FOUR)


def test_photos_that_are_named_take_the_place_of_the_subject_and_say_so_where_both_are(photo, monkeypatch, capsys):
    path = photo("home/mine/own.png")
    monkeypatch.setenv("HOME", str(path.parents[1]))
    lab = setup("04_esrgan", images="~/mine", photo="~/mine/own.png")
    assert (lab.subject, lab.parameters["subject"], lab.train_set.names, lab.unseen.names) == ("", "", ["own"], FOUR)
    assert re.fullmatch("laptop-images-mine-[0-9a-f]{6}", lab.run)
    assert "not used" not in capsys.readouterr().out
    assert setup("04_esrgan", subject=str(path), images="~/mine").run == lab.run
    assert f"The subject {path} is not used, because you have set images.\n" in capsys.readouterr().out


def test_a_subject_of_ones_own_is_found_from_wherever_it_is_typed(photo, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "notebooks" / "recipes").mkdir(parents=True)
    shutil.copy(ROOT / "notebooks" / "recipes" / "03_srgan.yaml", tmp_path / "notebooks" / "recipes")
    beside, spaced = photo("notebooks/own.png"), photo("home/Fotos im Wäldchen/Blätter (2).png", seed=1)
    for place, name, typed in (
        (beside, "laptop-subject-own-[0-9a-f]{6}", ("own.png", "notebooks/own.png", str(beside))),
        (spaced, r"laptop-subject-Bl-tter-2-[0-9a-f]{6}", ("~/Fotos im Wäldchen/Blätter (2).png",)),
    ):
        runs = set()
        for here in (tmp_path, tmp_path / "notebooks"):
            monkeypatch.chdir(here)
            for path in typed:
                lab = setup("03_srgan", subject=path)
                assert lab.parameters["subject"] == str(place), "that lab 05 finds it again"
                assert lab.train_set.names == [place.stem]
                runs.add(lab.run)
        (run,) = runs
        assert re.fullmatch(name, run)


def test_photos_and_starts_of_the_same_name_make_runs_of_their_own(photo):
    first, other, moved = photo("a/leaf.png"), photo("b/leaf.png", seed=1), photo("c/leaf.png")
    runs = [setup("04_esrgan", subject=str(path)).run for path in (first, other, moved, first)]
    decoded.cache_clear()
    photo("a/leaf.png", seed=2)  # changed
    assert runs[0] == runs[3]
    assert len({*runs, setup("04_esrgan", subject=str(first)).run}) == 4
    folders = [setup("01_srresnet", validation=str(path.parent)) for path in (first, other, first)]
    assert folders[0].run == folders[2].run != folders[1].run
    about = {"images": srlab.photos("train").describe(), "degradation": srlab.Degradation().describe()}
    for lab in ("01_srresnet", "02_content_loss"):
        leave_run(lab, "mine", 9, generator={"network": "MSRResNet", "scale": 4}, sampler=about)
        assert setup("03_srgan", start=f"{lab}/mine", subject="").run == f"laptop-subject-start-{lab}-mine"


def test_photos_too_small_for_what_comes_after_training_are_named_before_it(capsys, photo):
    for name, side in (("large", 64), ("small", 40)):
        val = photo(f"val/{name}.png", height=side, width=side)
        train = photo(f"train/{name}.png", height=side // 2, width=200).parent
    lab = setup("04_esrgan", images=str(train), validation=str(val.parent), iters=10)
    said = capsys.readouterr().out
    assert "Left out of train, as they are smaller than 32 x 32 pixels: small." in said
    assert "Left out of val, as they are smaller than 48 x 48 pixels: small." in said
    assert (lab.train_set.names, lab.unseen.names) == (["large"], ["large"])
    with pytest.raises(SrlabError, match=r"small.png is 40 x 40; this lab needs 64 pixels per side"):
        setup("04_esrgan", photo=str(val))


def test_no_photo_is_trained_on_and_validated_on_whatever_its_file_is_called(photo):
    train, other = photo("train/other.png"), photo("val/other.png", seed=1)
    folders = {"images": str(train.parent), "validation": str(other.parent)}
    assert setup("03_srgan", **folders).unseen.names == ["other"], "the same name, but another photo"
    again = photo("again/another.png").parent
    with pytest.raises(SrlabError, match="validated on, but another of again is other of train; leave it out"):
        setup("03_srgan", **folders | {"validation": str(again), "center_crop": 64})


def test_a_long_training_on_few_photos_through_random_features_is_warned_of_with_the_words_that_change_it(capsys):
    setup("04_esrgan", iters=100_000)
    photos, features = [line for line in capsys.readouterr().out.splitlines() if line.startswith("WARNING")]
    assert "-p images div2k" in photos
    assert "-p backbone imagenet" in features


def test_a_name_that_is_not_there_yet_gets_what_to_run_first(cells):
    _, shown = cells(cell_of("00_degradation"), SETUP.replace("04_esrgan", "00_degradation"), "lab + sampler")
    assert "name 'sampler' is not defined" in shown.stdout
    assert "If a cell above makes sampler, run that first: menu Run > Run All Above Selected Cell" in shown.stdout
    _, shown = cells("def f():\n    sampler += 1\nf()")
    assert "UnboundLocalError" in shown.stdout
    assert "Run All Above" not in shown.stdout
