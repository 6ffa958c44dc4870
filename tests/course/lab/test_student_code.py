"""Test that changed code of a student trains another run, and that the same code finds its run again."""

import re
from functools import partial
from types import SimpleNamespace

import nbformat
import pytest
import torch

import srlab
from srlab import Run
from srlab.training.runs import SIDE_RUN
from srlab_course import TODO, check, credit
from srlab_course.lab.earlier import student_code
from tests.conftest import ROOT

DEFINED = """
def step(x, width=8, *, slope=0.2):
    return x * width if x in {'lr', 'sr'} else slope
"""
LAB = SimpleNamespace(name="03_srgan", run="default")


def hashed(source):
    """Return the hash of a function without a source file, as in a notebook."""
    own = {"__name__": "__main__"}
    exec(source, own)
    return student_code.hash_of(own["step"])


@pytest.mark.parametrize(("old", "new"), [("'sr'", "'gt'"), ("x * width", "width * x"), ("=8", "=9"), ("=0.2", "=0.1")])
def test_each_change_of_the_code_changes_its_hash(old, new):
    assert hashed(DEFINED) != hashed(DEFINED.replace(old, new))


CLASS = """
from functools import cached_property, lru_cache, partial
import torch
from torch import nn
act = torch.relu
FACTOR = 3
conv = partial(nn.Conv2d, kernel_size=3)
def helper(x):
    return x * 2
@lru_cache
def cached():
    return 66
class Base(nn.Module):
    def one(self):
        return 1
class step(Base):
    slope = 0.1
    def __init__(self):
        super().__init__()
        self.first = conv(3, 3)
    @staticmethod
    def two():
        return 22
    @property
    def four(self):
        return 44
    @cached_property
    def five(self):
        return 55
    @torch.no_grad()
    def forward(self, x, sizes=[7, 8], kind=torch.float32):
        return [act(helper(row[:9])) + FACTOR + cached() for row in x]
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x * 2", "x * 3"),
        ("FACTOR = 3", "FACTOR = 4"),
        ("size=3", "size=5"),
        ("return 1", "return 11"),
        ("0.1", "0.9"),
        ("22", "33"),
        ("44", "45"),
        ("55", "56"),
        ("66", "67"),
        ("7, 8", "7, 9"),
        ("[:9]", "[:8]"),
        ("float32", "float16"),
        ("torch.relu", "torch.tanh"),
        ("    @torch.no_grad()\n", ""),
    ],
)
def test_hash_follows_what_an_answer_uses(old, new):
    assert hashed(CLASS) == hashed("unused = 5\n" + CLASS) != hashed(CLASS.replace(old, new))


def test_hash_does_not_depend_on_addresses():
    source = DEFINED.replace("0.2", "lambda v: v").replace("=8", "=object()")
    assert hashed(source) == hashed(source) != hashed(source.replace("v: v", "v: -v"))


def test_hash_does_not_depend_on_the_order_of_a_set():
    """It differs between kernels."""
    assert [*frozenset((0, 8))] != [*frozenset((8, 0))]

    def ordered(*values):
        own = {}
        exec("def step(x):\n    return x in {0, 8}", own)
        code = own["step"].__code__
        constants = tuple(frozenset(values) if isinstance(one, frozenset) else one for one in code.co_consts)
        own["step"].__code__ = code.replace(co_consts=constants)
        return student_code.hash_of(own["step"])

    assert ordered(0, 8) == ordered(8, 0) != ordered(0, 9)


def test_changed_code_gets_another_run(home, monkeypatch, capsys):
    assert student_code.run_of(LAB, "abc") == "default"  # there is no such run yet
    monkeypatch.setattr(Run, "manifest", lambda run: {"parameters": {"code": "abc"}})
    assert [student_code.run_of(LAB, code) for code in ("abc", "def")] == ["default", "default-def"]
    assert "trained with other code" in capsys.readouterr().out


def test_another_teacher_gets_another_run(home, monkeypatch, capsys):
    parameters = {"code": "abc", "teacher": "06_flow/default"}
    monkeypatch.setattr(Run, "manifest", lambda run: {"parameters": parameters})
    assert student_code.run_of(LAB, "abc", "06_flow/default") == "default"
    assert re.fullmatch(r"default-from-\w{6}", student_code.run_of(LAB, "abc", "06_flow/long"))
    assert "learned from another teacher" in capsys.readouterr().out


def own(**answers):
    """Return functions as a notebook defines them, given their expressions."""
    names = {"__name__": "__main__"}
    exec("\n".join(f"def {name}(*inputs):\n    return {text}" for name, text in answers.items()), names)
    return names


def run_cell(cell, names):
    """Run a cell of lab 07 with these names."""
    notebook = nbformat.read(ROOT / "notebooks" / "07_one_step.ipynb", 4)
    (source,) = (one.source for one in notebook.cells if one.id == cell)
    exec(source, names)


@pytest.mark.parametrize("changed", ["heun", "pairs", "draw_pool", "crop", "train_step"])
def test_lab_07_trains_again_after_its_code_has_changed(home, changed):
    answers = dict.fromkeys(["heun", "pairs", "draw_pool", "crop", "train_step"], "inputs")
    rest = {
        "student_code": student_code,
        "course": SimpleNamespace(guess=lambda *_: None),
        "lab": SimpleNamespace(name="07_one_step", run="default"),
        "flow": SimpleNamespace(origin="06_flow/default"),
    }
    codes = []
    for answer in ("inputs", "inputs[0]"):  # heun draws the pool
        names = own(**answers | {changed: answer}) | rest
        run_cell("a70c002a", names)
        codes.append(names["CODE"])
    assert len({*codes, "reference"}) == 3


@pytest.mark.parametrize("changed", ["shuffle_ends", "control_pools"])
def test_lab_07_trains_a_control_again_after_its_code_has_changed(changed):
    answers = {"shuffle_ends": "inputs[0]", "control_pools": "[shuffle_ends(*inputs), inputs[0]]"}
    runs = []

    def train(name, pool, **noted):
        runs.append(name)
        return None, 0.0

    rest = {"student_code": student_code, "pool": [], "RUN": "default", "student_error": 0.0, "train": train}
    rest |= {"draw": lambda *_: None, "noises": torch.zeros(4)}
    for answer in (answers[changed], answers[changed].replace("inputs[0]", "[*inputs][0]")):
        names = own(**answers | {changed: answer})
        names |= rest
        run_cell("a70cf009", names)
    assert len(set(runs)) == 4
    assert all(name.startswith(f"default{SIDE_RUN}") for name in runs)


def train_step(generator, optimizer, lr, hr):
    return TODO


def test_credit_tells_own_answers_from_the_course(capsys):
    def fit():
        pass

    fallback = check("srresnet.train_step", train_step)
    capsys.readouterr()
    made_by = credit(fit, fallback, srlab.gan_step, partial(fit))
    assert capsys.readouterr().out.splitlines() == ["from you: fit, fit", "from the course: train_step, gan_step"]
    assert made_by == "Trained with your fit, fit and the course's train_step, gan_step."
    assert credit(fit) == "Trained with your fit."
    assert credit(fallback) == "Trained with the course's train_step."
    assert credit() == "Trained with code of the course."
    assert student_code.hash_of(fallback, srlab.gan_step) == "reference" != student_code.hash_of(fit)


def test_credit_reads_who_trained_a_network(home, monkeypatch, capsys):
    codes = {"default": "reference", "default-4f0c21": "4f0c21", "paper": "srlab"}
    monkeypatch.setattr(Run, "manifest", lambda run: {"parameters": {"code": codes.get(run.name)}})
    loaded = SimpleNamespace(origin="03_srgan/default-4f0c21")
    others = {"old": "02_content_loss/old", "paper": "03_srgan/paper", "MSRResNet": SimpleNamespace()}
    credit(SRGAN=loaded, hybrid="02_content_loss/default", start="bundled", **others)
    assert capsys.readouterr().out.splitlines() == [
        "from you: SRGAN (03_srgan/default-4f0c21)",
        "from the course: hybrid (02_content_loss/default), start (bundled), old (02_content_loss/old), paper",
        "                 (03_srgan/paper), MSRResNet",
    ]
