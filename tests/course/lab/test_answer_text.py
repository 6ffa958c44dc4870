"""Test that the text of an answer follows what it computes, and nothing else."""

import pytest

from srlab_course.lab.answer_text import changed_in, code_of, defined_in

SOURCES = {
    "function": """
import math
def step(x, width=8, *, slope=0.2):
    '''Take a step.'''
    total = x * width  # in gray levels
    return total if x in {'lr', 'sr'} else slope
""",
    "class": """
from functools import cached_property, lru_cache, partial
import torch, math
from torch import nn, optim
act = torch.relu
FACTOR = 3
conv = partial(nn.Conv2d, kernel_size=3)
def helper(x): return x * 2
@lru_cache
def cached(): return 66
class Base(nn.Module):
    def one(self): return 1
class step(Base):
    slope = 0.1
    def __init__(self): self.first = conv(3, 3)
    @staticmethod
    def two(): return 22
    @property
    def four(self): return 44
    @cached_property
    def five(self): return 55
    @torch.no_grad()
    def forward(self, x, sizes=[7, 8], kind=torch.float32): return [act(helper(x[:9])) + FACTOR + cached() for _ in x]
""",
    "decorated": """
def twice(function):
    def inner(x): return 2 * function(x)
    return inner
@twice
def step(x): return x + 5
""",
    "class without functions": "class Sizes: width = 8\ndef step(x): return x * Sizes.width",
    "default from a list": "SIZES = [7, 8]\ndef step(x, sizes=SIZES): return sizes",
    "method added later": "class step: pass\ndef forward(self): return 22\nstep.forward = forward",
    "partial": "from functools import partial\ndef base(x, y): return x\nstep = partial(base, y=5)",
    "lambda": "def f(x): return x + 1\nstep = lambda x: f(x) * 3",
    "in a block": "if True:\n    def step(x): return x + 1\nelse:\n    step = None",
    "constant that grows": "RATE = 1\nRATE += 2\ndef step(x): return x * RATE",
    "below a magic": "%%time\ndef step(x): return x + 1",
}
CHANGES = {
    "function": [("'sr'", "'gt'"), ("x * width", "width * x"), ("=8", "=9"), ("=0.2", "=0.1")],
    "class": [
        *(("x * 2", "x * 3"), ("FACTOR = 3", "FACTOR = 4"), ("size=3", "size=5"), ("return 1", "return 11")),
        *(("0.1", "0.9"), ("22", "33"), ("44", "45"), ("55", "56"), ("66", "67"), ("7, 8", "7, 9"), ("[:9]", "[:8]")),
        *(("float32", "float16"), ("torch.relu", "torch.tanh"), ("    @torch.no_grad()\n", "")),
    ],
    "decorated": [("x + 5", "x + 6"), ("2 *", "3 *"), ("@twice\n", "")],
    "class without functions": [("= 8", "= 9")],
    "default from a list": [("7, 8", "7, 9")],
    "method added later": [("22", "33")],
    "partial": [("=5", "=6"), ("return x", "return y")],
    "lambda": [("* 3", "* 4"), ("x + 1", "x + 2")],
    "in a block": [("x + 1", "x + 2")],
    "constant that grows": [("+= 2", "+= 3"), ("RATE = 1", "RATE = 2")],
    "below a magic": [("x + 1", "x + 2")],
}
NO_CHANGES = [("  # in gray levels", ""), ("\n    return", "\n\n    return"), ("\ndef", "\nunused = 5\ndef")]
NO_CHANGES += [("    '''Take a step.'''\n", ""), ("import math", "import math, torch"), ("x * width", "(x*width)")]
NO_CHANGES += [("import math", "print?\n!ls\n%matplotlib inline"), ("'lr'", '"lr"')]


def text(*cells):
    return code_of(["step"], cells)


@pytest.mark.parametrize(("name", "old", "new"), [(name, *pair) for name in CHANGES for pair in CHANGES[name]])
def test_text_follows_what_an_answer_uses(name, old, new):
    source = SOURCES[name]
    assert source.count(old) == 1
    before, after = text(source), text(source.replace(old, new))
    assert changed_in(before, after)
    assert not changed_in(before, text(before)), "the text of a text is the same"


@pytest.mark.parametrize(("old", "new"), NO_CHANGES)
def test_text_stays_if_an_answer_computes_the_same(old, new):
    source = SOURCES["function"]
    assert source.count(old) == 1
    assert not changed_in(text(source), text(source.replace(old, new)))


@pytest.mark.parametrize("name", [name for name in SOURCES if name != "below a magic"])
def test_text_is_a_module_that_runs_as_the_cells_do(name):
    own, there = {"__name__": "__main__"}, {"__name__": "__main__"}
    exec(SOURCES[name], own)
    exec(text(SOURCES[name]), there)
    assert {key for key in own if key in ("step", "Base", "conv", "RATE", "Sizes")} <= there.keys()
    assert there.get("RATE") == own.get("RATE")


def test_newest_definition_counts_in_any_order():
    helper, step = "def helper(x): return x", "def step(x): return helper(x)"
    assert not changed_in(text(helper, step), text(step, helper, "def step(:", step))
    assert changed_in(text(helper, step), text(helper, step, "def helper(x): return 2 * x")) == ["helper"]


def test_text_keeps_comments_and_leaves_out_what_the_lab_computes():
    cells = ["import srlab_course as course", "lab = course.setup('03_srgan', globals())", "network = build(lab.size)"]
    cells += ["def step(x):\n    # a comment\n    return network(x)\n", "step = course.check('srgan.step', step)"]
    assert text(*cells) == "def step(x):\n    # a comment\n    return network(x)\n"
    assert code_of(["other"], cells) == ""


def test_defined_names_are_told_from_imported_ones():
    assert defined_in("from a import b\ndef c(): pass\nD = 1\nE.f = 2") == {"c", "D", "E"}


@pytest.mark.parametrize("damaged", ["def step(", "(" * 5000, "\0", "x = " + "-" * 100_000 + "1"])
def test_damaged_text_defines_nothing(damaged):
    assert changed_in("", damaged) == []
    assert defined_in(damaged) == set()
