"""What `check` does with any answer, shown on exercises of two lines."""

import subprocess
import sys

import pytest
import torch

from srlab import exercises
from srlab.base.errors import SrlabError
from srlab.exercises import TODO, Exercise, check, find
from srlab.exercises.difference import difference

from .test_exercises import said

SMALL_AND_LARGE = {"small": (torch.tensor(1.0),), "large": lambda: (torch.tensor(9.0),)}


@pytest.fixture
def ask(monkeypatch, capsys):
    """Check an answer to an exercise that is made up, and give back what is said."""

    def ask(answer, reference=lambda x: 2 * x, hints=1, **parts):
        parts = {"cases": {"a pair": (torch.tensor([1.0, 2.0]),)}, "mistakes": {}, **parts}
        exercise = Exercise(reference, level="easy", hints=("Think.", "Think again."), **parts)
        monkeypatch.setattr(exercises, "find", lambda name: exercise)
        check("lab.exercise", answer, hints)
        return said(capsys)

    return ask


def graph_too(answer, x):
    result = answer(x)
    return {"the result": result, "a graph": result.requires_grad}


OF_A_GRAPH = {"observe": graph_too, "otherwise": {"a graph": "A graph is left."}}
OF_A_SUM = {"reference": lambda x: x.sum()}
OF_A_LIST = {"reference": lambda x: x[-1] + 1, "cases": {"a list": ([1, 2],)}}


@pytest.mark.parametrize(
    ("answer", "parts", "phrase"),
    [
        (lambda x: x + x, {"cases": SMALL_AND_LARGE}, "lab.exercise (easy) passed small passed large right The lab"),
        # A known mistake is recognised by its result, with its shape, or by its exception, whatever the sizes.
        (lambda x: x * x, {"mistakes": {"Half.": lambda x: x / 2, "Double.": torch.square}}, "hint Double. The lab"),
        (lambda x: x.sum(), {"mistakes": {"One came.": torch.sum}}, "shape (), but should have (2,). One came. The"),
        (lambda x: torch.ones(7) - x, {"mistakes": {"No fit.": lambda x: x + torch.ones(5)}}, "hint No fit. The lab"),
        # ... and only if the names in it agree too.
        (lambda x: x.sun(), {"mistakes": {"No moon.": lambda x: x.moon()}}, "no attribute 'sun'"),
        (lambda x: x.sun(1), {"mistakes": {"No sun.": lambda x: x.sun(2)}}, "hint No sun."),
        # What is good enough is taken, with a remark.
        (
            lambda x: 2.01 * x,
            {"notes": {"Nearly.": lambda x: 2.01 * x}},
            "note Nearly. right The lab goes on with your",
        ),
        # Any other difference is shown, unless it is what is asked for or has a sentence of its own.
        (lambda x: x + 1.5, {}, "yet: a pair. The first difference is at [0]: expected 2, but your answer gives 2.5."),
        (lambda x: x + 1.5, {"reveal": False, "otherwise": {"a pair": "Odd."}}, "Odd. Your answer gives 2.5 at [0]."),
        (lambda x: x + 1.5, {"otherwise": {"a pair": "You gave {given}."}}, "You gave 2.5, 3.5."),
        (lambda x: (2 * x).requires_grad_(), OF_A_GRAPH, "hint A graph is left. The lab"),
        (lambda x: x.mul_(2), {}, "`x` was changed in place"),
        (lambda x: x.pop() + 1, OF_A_LIST, "`x` was changed in place"),
        # What is half done is kept, and what is no answer at all is said so.
        (lambda x: 2 * x if x < 5 else TODO, {"cases": SMALL_AND_LARGE}, "passed small to do"),
        (torch.ones(3), {}, "the function itself"),
        (lambda: 1, {}, "TypeError"),
        (lambda x: None, {}, "The result is None"),
        (lambda x: [1.0], {}, "should be a tensor, but is a list"),
        (lambda x: x.sum()[None], OF_A_SUM, "has shape (1,), but should be a single number"),
        (lambda x: 2 * x.double(), {}, "is in float64, but should be in float32"),
        (lambda x: x.double().sum(), OF_A_SUM, "right The lab"),
        # What costs memory only is taken with a remark.
        (lambda x: (2 * x).requires_grad_(), {}, "passed a pair note A graph hangs on your result"),
    ],
)
def test_what_is_said_of_an_answer(ask, answer, parts, phrase):
    assert phrase in ask(answer, **parts)


def test_of_two_mistakes_with_one_result_that_counts_which_explains_the_other_cases_too(ask):
    cases = {"one": (torch.tensor(1.0),), "three": (torch.tensor(3.0),)}
    mistakes = {"Thrice.": lambda x: 3 * x, "Plus two.": lambda x: x + 2}
    assert "Plus two." in ask(lambda x: 2 + x, cases=cases, mistakes=mistakes)
    assert "Thrice." in ask(lambda x: x + x + x, cases=cases, mistakes=mistakes)


@pytest.mark.parametrize(
    ("result", "wanted", "sentence"),
    [
        (1.00001, 1.0, ""),
        (1, torch.tensor(1.0), ""),
        (torch.ones(()), 1.0, ""),
        (torch.ones(1), 1.0, "The result has shape (1,), but should be a single number"),
        ([1, 2.0], (1.0, 2), ""),
        ({"a": torch.ones(2)}, {"a": torch.ones(2)}, ""),
        (1.00023, 1.0, "Expected 1, but your answer gives 1.0002."),
        (float("nan"), 1.0, "Expected 1, but your answer gives nan."),
        (torch.tensor([1.0, float("nan")]), torch.ones(2), "The first difference is at [1]: expected 1, but your"),
        (torch.ones(2, 1), torch.ones(2), "The result has shape (2, 1), but should have (2,)."),
        ([1.0], torch.ones(1), "The result should be a tensor, but is a list."),
        ("1", 1.0, "The result should be a number, but is a str."),
        ((1, 2, 3), (1, 2), "The result should be 2 values, but is 3."),
        (1, (1, 2), "The result should be 2 values, but is a int."),
        ((1, 3), (1, 2), "The first difference is at place 1: expected 2, but your answer gives 3."),
        ({"a": 1}, {"a": 1, "b": 2}, "There should be a value for b."),
        ({"a": 1, "b": 2}, {"a": 1}, "b should have no value."),
        ({"a": 2}, {"a": 1}, "The first difference is at a: expected 1, but your answer gives 2."),
        ("3x3", "5x5", "Expected 5x5, but your answer gives 3x3."),
        (False, True, "Expected True, but your answer gives False."),
    ],
)
def test_the_first_difference_is_said_in_words(result, wanted, sentence):
    said = difference(result, wanted)
    assert said.startswith(sentence)
    assert bool(said) == bool(sentence)


def luma(rgb):
    return rgb.no_such_method()


def test_an_exception_is_shown_with_its_line(capsys, monkeypatch):
    check("degradation.luma", luma)
    text = said(capsys)
    assert "AttributeError: 'Tensor' object has no attribute 'no_such_method'" in text
    assert "in the line: return rgb.no_such_method()" in text
    assert "Traceback" not in text
    monkeypatch.setenv("SRLAB_STRICT", "1")
    with pytest.raises(SrlabError, match=r"degradation\.luma.*no_such_method") as caught:
        check("degradation.luma", luma)
    assert isinstance(caught.value.__cause__, AttributeError)


def test_hints_are_given_one_by_one_and_the_last_is_said_to_be_the_last(ask):
    assert "For another hint, add hints=2 to this call." in ask(lambda x: x)
    assert "Think again." not in (text := ask(lambda x: x, hints=2))
    assert "Think. The lab" in text
    assert "Think again. The lab goes on" in (text := ask(lambda x: x, hints=3))
    assert text.endswith("That was the last hint.")


@pytest.mark.parametrize("name", ["degradation.pnsr", "difference.difference", ""])
def test_an_unknown_name_lists_the_known_ones(name):
    with pytest.raises(SrlabError, match=r"degradation\.psnr.*srresnet\.train_step"):
        check(name, lambda: TODO)


def test_a_check_leaves_random_numbers_and_gradients_of_the_lab_alone(ask):
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    ask(lambda x: torch.set_grad_enabled(False) and x + torch.rand(2))
    assert torch.equal(torch.rand(3), wanted)
    assert torch.is_grad_enabled()


def test_importing_the_exercises_is_cheap():
    code = "import sys, srlab.exercises; assert 'torch' not in sys.modules; print(srlab.TODO)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "to do" in result.stdout


def test_in_a_notebook_one_solution_is_folded_below_an_answer_that_is_not_right(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.get_ipython", object)
    monkeypatch.setattr("IPython.display.display", lambda page: shown.append(page.data))
    for name in exercises.names():
        check(name, TODO)
        assert shown[-1].startswith("<details><summary>One solution")
        assert f" {name.partition('.')[2]}(" in shown[-1], "its source"
        assert "Parameters" not in shown[-1], "without the docstring"
    solved = find("degradation.psnr").reference
    count = len(shown)
    check("degradation.psnr", solved)
    assert len(shown) == count, "and none below a right one"
