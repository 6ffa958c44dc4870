"""Test that changed code of a student trains another run, and that results name whose code made them."""

import re
from functools import partial
from types import SimpleNamespace

import pytest

import srlab
from srlab import Run
from srlab_course import TODO, check, credit
from srlab_course.lab.earlier import whose_code
from srlab_course.lab.earlier.whose_code import hash_of, run_of, without_code
from tests.conftest import ROOT

# --- The hash of an answer, which is called `step`. Its source text would not tell of a change in the last three. ---

SOURCES = {
    "function": """
def step(x, width=8, *, slope=0.2):
    total = x * width  # in gray levels
    return total if x in {'lr', 'sr'} else slope
""",
    "class": """
from functools import cached_property, lru_cache, partial
import torch
from torch import nn
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
}
IN_CLASS = [("x * 2", "x * 3"), ("FACTOR = 3", "FACTOR = 4"), ("size=3", "size=5"), ("return 1", "return 11")]
IN_CLASS += [("0.1", "0.9"), ("22", "33"), ("44", "45"), ("55", "56"), ("66", "67"), ("7, 8", "7, 9"), ("[:9]", "[:8]")]
IN_CLASS += [("float32", "float16"), ("torch.relu", "torch.tanh"), ("    @torch.no_grad()\n", "")]
CHANGES = {
    "function": [("'sr'", "'gt'"), ("x * width", "width * x"), ("=8", "=9"), ("=0.2", "=0.1")],
    "class": IN_CLASS,
    "decorated": [("x + 5", "x + 6"), ("2 *", "3 *")],
    "class without functions": [("= 8", "= 9")],
    "default from a list": [("7, 8", "7, 9")],
    "method added later": [("22", "33")],
}
NO_CHANGES = [("  # in gray levels", ""), ("\n    return", "\n\n    return"), ("\ndef", "\nunused = 5\ndef")]


def hashed(source):
    """Return the hash of an answer without a source file, as in a cell with %%time."""
    own = {"__name__": "__main__"}
    exec(source, own)
    return hash_of(own["step"])


@pytest.mark.parametrize(("name", "old", "new"), [(name, *pair) for name in CHANGES for pair in CHANGES[name]])
def test_hash_follows_what_an_answer_uses(name, old, new):
    source = SOURCES[name]
    assert source.count(old) == 1
    assert hashed(source) != hashed(source.replace(old, new))


@pytest.mark.parametrize(("old", "new"), NO_CHANGES)
def test_hash_stays_if_an_answer_computes_the_same(old, new):
    source = SOURCES["function"]
    assert source.count(old) == 1
    assert hashed(source) == hashed(source.replace(old, new))


def test_hash_does_not_depend_on_addresses():
    source = SOURCES["function"].replace("0.2", "lambda v: v").replace("=8", "=object()")
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
        return hash_of(own["step"])

    assert ordered(0, 8) == ordered(8, 0) != ordered(0, 9)


# --- Names of runs ---


@pytest.mark.parametrize(
    ("code", "teacher", "name", "printed"),
    [
        ("abc", "06_flow/default", "default", ""),
        ("def", "06_flow/default", "default-def", "trained with other code"),
        ("def", "06_flow/long", "default-def-from-d0eac4", "trained with other code and another teacher"),
        ("abc", "06_flow/long", "default-from-d0eac4", "trained with another teacher"),
    ],
)
def test_changed_code_or_teacher_gets_another_run(home, monkeypatch, capsys, code, teacher, name, printed):
    lab = SimpleNamespace(name="07_one_step", run="default")
    assert run_of(lab, code, teacher) == "default"  # there is no such run yet
    monkeypatch.setattr(Run, "manifest", lambda run: {"parameters": {"code": "abc", "teacher": "06_flow/default"}})
    assert run_of(lab, code, teacher) == name
    assert printed in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "code", "plain"),
    [
        ("default-4f0c21", "4f0c21", "default"),
        ("default-4f0c21-hybrid", "4f0c21", "default-hybrid"),
        ("default-from-8a31c5", "reference", "default"),
        ("default-4f0c21-from-8a31c5", "4f0c21", "default"),
        ("default-yours-4f0c21-abcdef", "abcdef", "default"),
        ("default-4f0c21", "abcdef", "default-4f0c21"),
        ("gpu-seed-3", None, "gpu-seed-3"),
    ],
)
def test_name_without_code(name, code, plain):
    assert without_code(name, {"parameters": {"code": code}}) == plain


LAB_07 = ["heun", "draw_pool", "train_step", "control_pools"]  # the last is for the controls


@pytest.mark.parametrize("changed", LAB_07)
def test_lab_07_trains_again_after_its_code_has_changed(changed):
    """Evaluate the hash in the name of its run, or of its controls, with another answer."""
    text = (ROOT / "notebooks" / "07_one_step.ipynb").read_text(encoding="utf-8")
    code = "CONTROL" if changed == LAB_07[-1] else "CODE"
    (call,) = re.findall(rf'"{code} = (whose_code.hash_of\(.*?\))', text)
    assert "RUN = whose_code.run_of(lab, CODE, flow.origin)" in text
    assert "{RUN}-ablation-{name}-{CONTROL}" in text
    codes = {"reference"}
    for answer in ("inputs", "[*inputs]"):
        own = {"__name__": "__main__", "whose_code": whose_code}
        for name in LAB_07:
            value = answer if name == changed else "inputs"
            exec(f"def {name}(*inputs): return {value}", own)
        codes.add(eval(call, own))
    assert len(codes) == 3


# --- Whose code it is ---


def train_step(generator, optimizer, lr, hr):
    return TODO


def test_credit_tells_own_answers_from_the_course(capsys):
    def fit():
        pass

    fallback = check("srresnet.train_step", train_step)
    capsys.readouterr()
    made_by = credit(fit, fallback, srlab.gan_step, partial(fit))
    assert capsys.readouterr().out.splitlines() == ["your code: fit, fit", "the course's code: train_step, gan_step"]
    assert made_by == "Trained with your fit, fit and the course's train_step, gan_step."
    assert credit(fit) == "Trained with your fit."
    assert credit(fallback) == "Trained with the course's train_step."
    assert credit() == "Trained with code of the course."
    assert hash_of(fallback, srlab.gan_step) == "reference" != hash_of(fit)


def test_credit_reads_who_trained_a_network(home, monkeypatch, capsys):
    codes = {"default": "reference", "default-4f0c21": "4f0c21", "paper": "srlab"}
    monkeypatch.setattr(Run, "manifest", lambda run: {"parameters": {"code": codes.get(run.name)}})
    loaded = SimpleNamespace(origin="03_srgan/default-4f0c21")
    others = {"old": "02_content_loss/old", "paper": "03_srgan/paper", "MSRResNet": SimpleNamespace()}
    made_by = credit(SRGAN=loaded, hybrid="02_content_loss/default", start="bundled", **others)
    assert made_by == "Trained with your SRGAN and the course's hybrid, start, old, paper, MSRResNet."
    assert capsys.readouterr().out.splitlines() == [
        "your code: SRGAN (03_srgan/default-4f0c21)",
        "the course's code: hybrid (02_content_loss/default), start (bundled), old (02_content_loss/old),",
        "                   paper (03_srgan/paper), MSRResNet",
    ]
