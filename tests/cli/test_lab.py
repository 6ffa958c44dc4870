"""srlab.cli.lab: a slip in a parameter is caught, and a lab's main figure can be read back."""

import ast
import inspect
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

import srlab
from srlab.base.errors import SrlabError
from srlab.cli.lab import Lab, check_parameters, check_run
from srlab.cli.papermill import read_headline
from srlab.models import ResidualBlock
from tests.conftest import ROOT

DECLARED = {"iters": 600, "learning_rate": 2e-4, "batch": 8, "device": "auto", "augment": True, "run": "default"}
CELL = "# Parameters of this lab\n" + "\n".join(f"{name} = {value!r}  # a comment" for name, value in DECLARED.items())


# --- check_parameters ----------------------------------------------------------------------------------------


def check(given=(), **values):
    check_parameters(DECLARED, DECLARED | values, list(given))


def test_the_defaults_and_values_of_their_type_are_accepted():
    check()
    check(["iters", "learning_rate"], iters=1, learning_rate=1e-3, device="cpu", augment=False)
    check(iters=0, learning_rate=1)  # the recipe's steps, and an int will do for a float
    check_parameters({"scale": 4}, {"scale": 2}, ["scale"])  # a lab without iters


@pytest.mark.parametrize(
    ("given", "values", "words"),
    [
        (["batch", "iter"], {}, r"'iter' \(did you mean iters\?\)\. This lab knows: iters, learning_rate, batch, dev"),
        (["xyzzy"], {}, r"'xyzzy'\. This lab knows: iters"),
        ([], {"iters": -1}, "iters=-1 is the total number of training steps; 0 takes the recipe's"),
        ([], {"learning_rate": float("nan")}, "learning_rate=nan must be a finite number"),
        ([], {"learning_rate": -1.0}, "learning_rate=-1.0 must be 0 or more"),
        ([], {"batch": 0}, "batch=0 must be at least 1"),
        ([], {"iters": 600.0}, "iters=600.0 must be of type int, like its default 600"),
        ([], {"iters": True}, "iters=True must be of type int"),
        ([], {"iters": None}, "iters=None must be of type int"),
        ([], {"learning_rate": "2e-4"}, "learning_rate='2e-4' must be of type number"),  # YAML 1.1 makes that of 2e-4
        ([], {"learning_rate": True}, "learning_rate=True must be of type number"),
        ([], {"device": 0}, "device=0 must be of type str"),
        ([], {"augment": 1}, "augment=1 must be of type bool, like its default True"),
    ],
)
def test_an_unknown_name_another_type_or_a_number_without_sense_is_refused(given, values, words):
    with pytest.raises(SrlabError, match=words):
        check(given, **values)


# --- In a notebook -------------------------------------------------------------------------------------------


@pytest.fixture
def cells(tmp_path, monkeypatch):
    """Runs cells as a notebook does, and gives what each one showed and raised."""
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


SETUP = "import srlab; lab = srlab.setup('01_srresnet')"


def test_setup_prints_where_it_runs_and_returns_the_parameters(cells):
    result, shown = cells(CELL, "device = 'cpu'; iters = 7", SETUP, "lab")
    lab = result.result
    assert lab.name == "01_srresnet"
    assert lab.parameters == DECLARED | {"device": "cpu", "iters": 7}
    assert (lab.iters, lab.learning_rate, lab.run) == (7, 2e-4, "default")
    assert (lab.device.type, lab.precision) == ("cpu", srlab.pick_precision("auto", lab.device))
    assert lab.hardware == {"device": lab.device, "precision": lab.precision, "compiled": ""}
    other, _ = cells(CELL + "\ncompiled = 'default'  # a comment", SETUP, "lab")
    assert other.result.hardware["compiled"] == "default"
    _, shown = cells(SETUP)
    assert f"srlab {srlab.__version__}, torch " in shown.stdout
    assert "device:  cpu" in shown.stdout
    assert "runs in: " in shown.stdout
    assert len(shown.stdout.splitlines()) == 3


def test_setup_takes_the_cell_that_papermill_injects(cells):
    result, _ = cells(CELL, '# Parameters\niters = 3\ndevice = "cpu"\n', SETUP, "lab.parameters")
    assert result.result == DECLARED | {"iters": 3, "device": "cpu"}


@pytest.mark.parametrize(
    ("injected", "words"),
    [("iter = 3", r"'iter' \(did you mean iters\?\)"), ("device = 'tpu'", "Unknown device 'tpu'")],
)
def test_setup_refuses_a_slip_in_the_cell_that_papermill_injects(cells, injected, words):
    result, shown = cells(CELL, f"# Parameters\n{injected}\n", SETUP)
    with pytest.raises(SrlabError, match=words):
        raise result.error_in_exec
    assert "Traceback" not in shown.stdout + shown.stderr  # one sentence, without the frames inside srlab
    assert "SrlabError: " in shown.stdout


def code_of(source):
    """A program without its docstrings, however it is laid out."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node):
            del node.body[0]
    return ast.unparse(tree)


def test_show_prints_the_source_and_where_it_stands(cells):
    _, shown = cells("import srlab", "srlab.show(srlab.models.ResidualBlock, srlab.psnr)")
    for output, thing in zip(shown.outputs, (ResidualBlock, srlab.psnr), strict=True):
        text = output.data["text/markdown"]
        name, place, line = re.match(r"`(\w+)`, from `(srlab/.+)`, line (\d+):", text).groups()
        assert name == thing.__name__
        first = (ROOT / place).read_text(encoding="utf-8").splitlines()[int(line) - 1]
        assert re.match(rf"(class|def) {name}\b", first)
        assert code_of(re.search(r"```python\n(.*)```", text, re.DOTALL)[1]) == code_of(inspect.getsource(thing))


# --- Headline ------------------------------------------------------------------------------------------------


def notebook(*output_lists):
    cells = [nbformat.v4.new_code_cell("x", outputs=outputs) for outputs in output_lists]
    return nbformat.v4.new_notebook(cells=cells)


def test_the_last_headline_is_read_back_from_the_executed_notebook(cells):
    _, shown = cells("import srlab", "srlab.headline('first', 1.0); srlab.headline('PSNR over bicubic', 1.23456, 'dB')")
    outputs = [nbformat.v4.new_output("display_data", output.data) for output in shown.outputs]
    figures = read_headline(notebook([], outputs, []))
    assert figures.pop("peak_memory_mib") > 0
    assert figures == {"label": "PSNR over bicubic", "value": 1.23456, "unit": "dB"}
    assert outputs[1].data["text/plain"] == "PSNR over bicubic: 1.23 dB"
    with pytest.raises(SrlabError, match="left no headline"):
        read_headline(notebook([nbformat.v4.new_output("stream", text="PSNR: 3 dB")]))


# --- Recipes -------------------------------------------------------------------------------------------------

OPEN = {"recipe": "auto", "iters": 0, "run": "", "images": "", "validation": "", "backbone": "random", "scale": 4}
OPEN |= {"seed": 0, "device": "cpu", "precision": "no", "tricks": {}}


@pytest.fixture
def lab_04(cells):
    """Runs lab 04's setup with what papermill would give; the lab, and what was said."""

    def run(**given):
        cell = "# Parameters of this lab\n" + "\n".join(f"{name} = {value!r}" for name, value in OPEN.items())
        injected = "# Parameters\n" + "\n".join(f"{name} = {value!r}" for name, value in given.items())
        result, shown = cells(cell, injected + "\n", "import srlab; lab = srlab.setup('04_esrgan')")
        if result.error_in_exec:
            raise result.error_in_exec
        return cells("lab")[0].result, shown

    return run


def test_setup_says_what_is_trained_on_what_how_long_and_why(lab_04):
    lab, shown = lab_04()
    for words in (
        "recipe:  laptop, a small network, minutes on two CPU cores\nbecause  it suits a CPU, a run of a few minutes",
        "trains:  600 steps for PSNR (unless that is done already), then 800 steps of 8 patches of 32 px, on the left",
    ):
        assert words in shown.stdout
    assert "run:     04_esrgan/default" in shown.stdout
    assert "WARNING" not in shown.stdout
    assert "The recipe <b>laptop</b> as a table" in shown.outputs[0].data["text/html"]
    assert (lab.iters, lab.run, lab.batch, lab.betas, lab.as_tried) == (800, "default", 8, [0.5, 0.99], True)
    assert (lab.train_set.name, lab.unseen.name) == ("left half of gravel", "right half of gravel")


@pytest.mark.parametrize("given", [{"subject": ""}, {"recipe": "photos"}, {"iters": 2000}], ids=str)
def test_without_a_subject_and_in_a_long_training_there_are_twelve_photos_and_four_unseen_ones(lab_04, given):
    lab, shown = lab_04(**given)
    assert "on 12 photos inside scikit-image and matplotlib" in shown.stdout
    assert len(lab.train_set) == 12
    assert lab.unseen.names == ["astronaut", "chelsea", "text", "brick"]


def test_photos_that_are_named_take_the_place_of_the_subject(lab_04, tmp_path):
    srlab.write_image(torch.rand(3, 80, 80), tmp_path / "own.png")
    lab, _ = lab_04(images=str(tmp_path))
    assert (lab.subject, lab.train_set.names) == ("", ["own"])
    assert len(lab.unseen) == 4


@pytest.mark.parametrize(
    ("given", "run"),
    [
        ({}, "default"),
        ({"iters": 280}, "laptop-280"),
        ({"recipe": "smoke"}, "smoke"),
        ({"seed": 3}, "laptop-seed-3"),
        ({"tricks": {"noise": 0.5}, "iters": 700}, "laptop-700-noise-0.5"),
        ({"iters": 5000, "run": "mine"}, "mine"),
    ],
)
def test_another_training_gets_another_name_and_the_same_command_the_same(lab_04, given, run):
    assert lab_04(**given)[0].run == run


def test_a_number_of_the_recipe_is_changed_by_p_or_by_tricks(lab_04):
    for given in ({"noise": 0.5, "betas": "[0.9, 0.99]"}, {"tricks": {"noise": 0.5, "betas": [0.9, 0.99]}}):
        lab, _ = lab_04(**given)
        assert (lab.noise, lab.betas, lab.batch) == (0.5, [0.9, 0.99], 8)
        assert not lab.as_tried


def test_a_subject_is_one_photo_in_halves_unless_others_are_named(cells, tmp_path):
    shutil.copy(ROOT / "docs" / "images" / "sharper.png", tmp_path)

    def setup(**given):
        cell = "# Parameters of this lab\n" + "\n".join(f"{name} = {value!r}" for name, value in OPEN.items())
        cells(cell, "# Parameters\n" + "\n".join(f"{name} = {value!r}" for name, value in given.items()) + "\n")
        _, shown = cells("import srlab; lab = srlab.setup('03_srgan')")
        return cells("lab")[0].result, shown.stdout

    lab, said = setup()
    assert (lab.subject, lab.train_set.name, lab.unseen.name) == (
        "gravel",
        "left half of gravel",
        "right half of gravel",
    )
    assert "on the left half of gravel" in said
    assert "WARNING" not in said, "a subject is to be learned by heart"
    assert lab.as_tried
    _, said = setup(iters=100_000)
    assert "WARNING: 1 photos" in said, "but not for so long"
    four = ["astronaut", "chelsea", "text", "brick"]
    lab, _ = setup(tricks={"subject": ""})
    assert (lab.run, len(lab.train_set), lab.unseen.names) == ("laptop-subject", 12, four)
    lab, _ = setup(images=str(tmp_path))
    assert (lab.subject, lab.parameters["subject"], len(lab.train_set), lab.unseen.names) == ("", "", 1, four)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"tricks": {"noize": 0.5}}, r"Unknown parameter 'noize' \(did you mean noise\?\).*learning_rate"),
        ({"noise": "much"}, "noise='much' must be of type number"),
        ({"recipe": "papre"}, r"no recipe 'papre'; choose auto, laptop"),
        ({"recipe": "paper"}, r"paper refuses .* 12 photos .* -p images div2k.*random features"),
    ],
)
def test_what_cannot_be_is_refused(lab_04, given, words):
    with pytest.raises(SrlabError, match=words):
        lab_04(**given)


def test_a_long_training_on_few_photos_through_random_features_is_warned_of_with_the_words_that_change_it(lab_04):
    _, shown = lab_04(iters=100_000)
    photos, features = [line for line in shown.stdout.splitlines() if line.startswith("WARNING")]
    assert "-p images div2k" in photos
    assert "-p backbone imagenet" in features


@pytest.mark.parametrize(
    "run",
    [
        "a/b",
        "..",
        "../x",
        " ",
        "a b",
        ".x",
        "x.",
        "a\nb",
        "\x1b[31m",
        "caf\udce9",
        "x" * 101,
        "中" * 40,
    ],
)
def test_setup_refuses_a_name_that_no_run_can_have_and_makes_nothing(lab_04, home, run):
    with pytest.raises(SrlabError, match=r"no good name for a run; \w+|too long; use one of at most 100 letters"):
        lab_04(run=run)
    assert not home.exists()


def dead_link(home):
    home.symlink_to(home.parent / "a disk that was taken away")


def file_in_the_way(path):
    def put(home):
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text("in the way")

    return put


UNWRITABLE = {
    "a file": file_in_the_way(""),
    "a file for the lab": file_in_the_way("04_esrgan"),
    "a file for the run": file_in_the_way("04_esrgan/default"),
    "dead link": dead_link,
}


@pytest.mark.parametrize("spoil", UNWRITABLE.values(), ids=UNWRITABLE)
def test_setup_says_at_once_that_the_runs_cannot_be_written(lab_04, home, spoil):
    spoil(home)
    before = sorted(home.rglob("*"))
    with pytest.raises(
        SrlabError, match=rf"Cannot write into {re.escape(str(home))}.*choose another folder with SRLAB"
    ):
        lab_04()
    assert sorted(home.rglob("*")) == before


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="the folder in which not even root can write")
def test_setup_says_at_once_that_nothing_can_be_written_there(lab_04, monkeypatch):
    monkeypatch.setenv("SRLAB_HOME", "/proc/self/runs")
    with pytest.raises(SrlabError, match=r"Cannot write into /proc/self \(.*\); free some space or choose"):
        lab_04()


def test_setup_says_at_once_that_the_disk_is_full(lab_04, home, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=150_000_000))
    with pytest.raises(
        SrlabError, match=r"A run needs 100 MB, and the disk of .* has 14 MB too little free; .*SRLAB_HOME"
    ):
        lab_04()
    assert not home.exists()


def test_many_processes_may_set_up_at_once_and_leave_nothing(home):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(check_run, ["04_esrgan"] * 200, ["default"] * 200))
    assert not home.exists()


def test_a_script_that_was_made_of_the_notebook_has_its_parameters_and_another_one_has_none():
    InteractiveShell.clear_instance()
    scope = dict(OPEN) | {"tricks": {"batch": 3}}
    exec("import srlab; lab = srlab.setup('04_esrgan')", scope)
    assert (scope["lab"].batch, scope["lab"].iters) == (3, 800)
    assert srlab.setup("01_srresnet").parameters == {}


@pytest.mark.parametrize(("as_tried", "strict", "raises"), [(True, "1", True), (True, "0", False), (False, "1", False)])
def test_a_claim_that_does_not_hold_stops_ci_and_tells_a_reader(monkeypatch, capsys, as_tried, strict, raises):
    monkeypatch.setenv("SRLAB_CLAIMS", strict)
    lab = Lab(as_tried=as_tried)
    lab.expect(True, "blur costs least")
    assert capsys.readouterr().out == ""
    if raises:
        with pytest.raises(SrlabError, match="does not hold: blur costs least"):
            lab.expect(False, "blur costs least")
    else:
        lab.expect(False, "blur costs least")
        assert "Not so here: blur costs least." in capsys.readouterr().out
