"""Test `check` with all kinds of answers to two-line exercises."""

import contextlib
import copy
import functools
import itertools
import random
import re
import sys

import nbformat
import pytest
import torch

import srlab_course as course
from srlab.errors import SrlabError
from srlab_course.feedback import checks
from srlab_course.feedback.all_exercises import find, names
from srlab_course.feedback.checks import check
from srlab_course.feedback.exercise import TODO, Exercise, Mistake
from srlab_course.feedback.value_comparison import difference
from srlab_course.layout import WIDTH, in_lines
from srlab_course.notebook_files.marks import Result
from srlab_course.teaching.saved_results import read_results
from tests.course.exercises.test_exercises import said
from tests.course.feedback.test_seeding import random_states

SMALL_AND_LARGE = {"small": (torch.tensor(1.0),), "large": lambda: (torch.tensor(9.0),)}


@pytest.fixture
def ask(monkeypatch, capsys):
    """Check an answer to a fictional exercise, and return the printed message."""

    def ask(answer, reference=lambda x: 2 * x, hints=1, **parts):
        parts = {"cases": {"a pair": (torch.tensor([1.0, 2.0]),)}, **parts}
        for field in {"known_mistakes", "notes"} & parts.keys():
            parts[field] = [Mistake(hint.lower(), hint, [one]) for hint, one in parts[field].items()]
        exercise = Exercise(reference, level="easy", points=1, hints=("Think.", "Think again."), **parts)
        monkeypatch.setattr(checks, "find", lambda name: exercise)
        check("lab.exercise", answer, hints)
        return said(capsys)

    return ask


def graph_too(answer, x):
    result = answer(x)
    return {"the result": result, "a graph": result.requires_grad}


HALF_OR_SQUARE = {"Half.": lambda x: x / 2, "Square.": torch.square}
PAIR_AND_LARGE = {"a pair": (torch.tensor([1.0, 2.0]),), "large": (torch.tensor([9.0]),)}
CLAMPED = {"cases": PAIR_AND_LARGE, "known_mistakes": {"Clamped.": lambda x: (2 * x).clamp(max=5)}}
OWN_MESSAGE = {"fallback_messages": {"a pair": "Odd."}}
OF_A_GRAPH = {"observe": graph_too, "fallback_messages": {"a graph": "A graph is left."}}


@pytest.mark.parametrize(
    ("answer", "parts", "phrase"),
    [
        (lambda x: x + x, {"cases": SMALL_AND_LARGE}, "lab.exercise (easy) passed small passed large correct The lab"),
        # A known mistake is recognized by its result (with its shape) or its exception, for any sizes.
        (lambda x: x * x, {"known_mistakes": HALF_OR_SQUARE}, "incorrect The lab uses the reference solution for now."),
        (lambda x: x * x, {"known_mistakes": HALF_OR_SQUARE}, "hint Square. Fix"),
        (lambda x: x.sum(), {"known_mistakes": {"One came.": torch.sum}}, "(), but should have (2,). One came."),
        (lambda x: torch.ones(7) - x, {"known_mistakes": {"No fit.": lambda x: x + torch.ones(5)}}, "hint No fit. Fix"),
        # ... and only if its names also agree.
        (lambda x: x.sun(), {"known_mistakes": {"No moon.": lambda x: x.moon()}}, "no attribute 'sun'"),
        # A value that is right except for its type is not taken for a mistake that agrees with it in this case.
        (lambda x: (2 * x).double(), CLAMPED, "hint Not correct yet: a pair. The result is in float64, but"),
        # An acceptable answer is accepted with a remark.
        (lambda x: 2.01 * x, {"notes": {"Nearly.": lambda x: 2.01 * x}}, "passed a pair note Nearly. correct The lab"),
        # Any other difference is shown, unless it reveals the answer or has its own message.
        (lambda x: x + 1.5, {}, "at [0]: expected 2, but your answer returns 2.5."),
        (lambda x: x + 1.5, {"reveal": False} | OWN_MESSAGE, "Odd. Your answer returns 2.5 at [0]."),
        (lambda x: x + 1.5, {"fallback_messages": {"a pair": "You gave {given}."}}, "You gave 2.5, 3.5."),
        (lambda x: (2 * x).requires_grad_(), OF_A_GRAPH, "hint A graph is left. Fix"),
        (lambda x: x.mul_(2), {}, "You changed `x` in place"),
        # Partial answers are kept, and answers of a wrong type are reported.
        (lambda x: 2 * x if x < 5 else TODO, {"cases": SMALL_AND_LARGE}, "passed small not attempted"),
        (torch.ones(3), {}, "You passed check a value, not a function (Tensor)"),
        (lambda x: None, {}, "The result is None"),
        # What would end the notebook, or needs all memory, gets a verdict, too.
        (lambda x: sys.exit(2), {}, "hint Your code calls sys.exit, which would end the notebook"),
        (lambda x: torch.zeros(10**15), {}, "hint Your code needs more memory than is free"),
        (lambda x: [0] * 10**15, {}, "hint Your code needs more memory than is free"),
        # An answer that only wastes memory is accepted with a remark.
        (lambda x: (2 * x).requires_grad_(), {}, "passed a pair note Your result still has its autograd graph"),
    ],
)
def test_answer_gets_verdict(ask, answer, parts, phrase):
    assert phrase in ask(answer, **parts)


def test_other_cases_separate_mistakes_with_equal_result(ask):
    cases = {"one": (torch.tensor(1.0),), "three": (torch.tensor(3.0),)}
    mistakes = {"Thrice.": lambda x: 3 * x, "Plus two.": lambda x: x + 2}
    assert "Plus two." in ask(lambda x: 2 + x, cases=cases, known_mistakes=mistakes)
    assert "Thrice." in ask(lambda x: x + x + x, cases=cases, known_mistakes=mistakes)


@pytest.mark.parametrize(
    ("result", "wanted", "words"),
    [
        (1, torch.tensor(1.0), ""),
        ({"a": torch.ones(2)}, {"a": torch.ones(2)}, ""),
        (torch.ones(1), 1.0, "shape (1,), but should be a single number"),
        (1.00023, 1.0, "Expected 1, but your answer returns 1.0002."),
        (torch.tensor([1.0, float("nan")]), torch.ones(2), "at [1]: expected 1"),
        (torch.ones(2).double(), torch.ones(2), "in float64, but should be in float32."),
        ("1", 1.0, "should be a number, but its type is str."),
        (1, (1, 2), "should have 2 values, but its type is int."),
        ((1, 3), (1, 2), "at place 1: expected 2"),
        ({"a": 1}, {"a": 1, "b": 2}, "a value for b."),
        ("3x3", "5x5", "Expected 5x5"),
        (False, True, "Expected True"),
    ],
)
def test_first_difference_is_shown(result, wanted, words):
    said = difference(result, wanted)
    assert words in said
    assert bool(said) == bool(words)


def discriminator_loss(real, fake):
    return fake.no_such_method()


def test_exception_shows_line(capsys):
    check("srgan.discriminator_loss", discriminator_loss)
    text = said(capsys)
    assert "AttributeError: 'Tensor' object has no attribute 'no_such_method'" in text
    assert "in the line: return fake.no_such_method()" in text


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (discriminator_loss, "no_such_method"),
        (TODO, "not attempted yet"),
        (lambda real, fake: TODO, "not attempted yet"),
    ],
)
def test_strict_mode_raises_for_an_answer_and_its_fallback(answer, words, monkeypatch):
    fallback = check("srgan.discriminator_loss", answer)
    assert check("srgan.discriminator_loss", fallback) is fallback
    monkeypatch.setenv("SRLAB_STRICT", "1")
    for one in (answer, fallback):
        with pytest.raises(SrlabError, match=rf"srgan\.discriminator_loss.*{words}") as caught:
            check("srgan.discriminator_loss", one)
        assert isinstance(caught.value.__cause__, AttributeError) == (answer is discriminator_loss)


@pytest.mark.parametrize(("hints", "there"), [(1, [False, False]), (2, [True, False]), (3, [True, True])])
def test_hints_appear_one_by_one(ask, hints, there):
    text = ask(lambda x: x, hints=hints)
    assert ["Think. " in text, "Think again." in text] == there
    assert (f"add hints={hints + 1}" in text) == (hints < 3)


def test_verdict_is_colored_only_in_a_notebook(capsys, request):
    for verdict in ("incorrect", "\033[1;38;5;196mincorrect\033[0m"):
        check("srgan.best_answer", lambda p_data, p_g: p_g)
        assert f"  {verdict} The lab" in capsys.readouterr().out
        request.getfixturevalue("displayed")


@pytest.mark.parametrize("name", names())
def test_hint_breaks_in_no_formula(name):
    exercise = find(name)
    listed = [mistake.hint for mistake in (*exercise.known_mistakes, *exercise.notes)]
    for text in (*exercise.hints, *listed, *exercise.fallback_messages.values()):
        for start in range(0, 40, 5):  # so that each place of the text is once at the end of a line
            lines = in_lines("", "x" * start + " " + text).splitlines()
            assert " ".join(lines).split() == ("x" * start + " " + text).split()
            for line in lines:
                assert line.count("`") % 2 == 0, line
                assert not re.search(r"^[-+*/=<>@] | [-+*/=<>@]$", line), line
                assert len(line) <= WIDTH, line


def test_check_preserves_rng_and_grad_mode(ask):
    before = random_states()
    ask(lambda x: torch.set_grad_enabled(False) and x + torch.rand(2) + random.random())
    assert random_states() == before
    assert torch.is_grad_enabled()


def test_solution_is_folded_below_incorrect_answer(displayed):
    for name in names():
        check(name, TODO)
        page = displayed[-1].data["text/html"]
        assert "<details>" in page
        assert f" {name.partition('.')[2]}(" in page, "its source"
        assert "Parameters" not in page, "without its docstring"
    check("degradation.psnr", find("degradation.psnr").reference)
    assert "<details>" not in displayed[-1].data["text/html"]


# --- Rerunning cells --------------------------------------------------------------------------------------------


@pytest.fixture
def run(displayed, capsys):
    """Run cells; return the last one's message, and the result that `srlab progress` reads from it."""

    def run(scope, *cells):
        displayed.clear()
        capsys.readouterr()
        for cell in cells:
            with contextlib.suppress(SyntaxError, NameError):
                exec(cell, scope)
        saved = nbformat.v4.new_code_cell(cells[-1], outputs=displayed)
        return said(capsys), read_results(nbformat.v4.new_notebook(cells=[saved]))

    return run


STEPS = ("wrong", "hints", "other", "syntax", "restart", "right")


@pytest.mark.parametrize("name", ["degradation.downscale_matrix", "content_loss.ContentLoss"])
def test_verdict_uses_last_answer_in_any_cell_order(name, run):
    exercise, short = find(name), name.partition(".")[2]
    (_, first, (wrong, *_)), (_, second, (other, *_)), *_ = exercise.known_mistakes
    answers = {"wrong": wrong, "other": other, "right": exercise.reference}
    last, scope = None, {}
    for order in itertools.permutations(STEPS, 2):
        for step in order:
            if step == "restart":
                last, scope = None, {}
            scope |= {"course": course, "answers": answers}
            last = step if step in answers else last
            own = [f"{short} = answers['{step}']"] if step in answers else ["1 ="] if step == "syntax" else []
            text, results = run(scope, *own, f'{short} = course.check("{name}", {short}, {1 + (step == "hints")})')
            wanted = {"right": Result.CORRECT, None: Result.NOT_RUN}.get(last, Result.INCORRECT)
            assert results[name] == wanted, (order, step, text)
            if wanted == Result.INCORRECT:
                assert {"wrong": first, "other": second}[last] in text
                assert (exercise.hints[0] in text) == (step == "hints")
                assert (f"Run the cell that defines `{short}`" in text) == (step in ("hints", "syntax"))


@pytest.mark.parametrize("wraps", ["", "@functools.wraps(discriminator_loss)"])
def test_wrapped_reference_is_not_an_answer(wraps, run):
    scope = {"course": course, "functools": functools, "discriminator_loss": lambda real, fake: fake}
    call = 'discriminator_loss = course.check("srgan.discriminator_loss", discriminator_loss)'
    run(scope, call)
    again = f"old = discriminator_loss\n{wraps}\ndef discriminator_loss(real, fake): return old(real, fake)"
    text, results = run(scope, again, call)
    assert "wrapper around the reference" in text
    assert results["srgan.discriminator_loss"] == Result.INCORRECT


def test_fallback_class_can_be_built_copied_and_loaded(capsys):
    name = "srresnet.ResidualBlock"
    block, reference = check(name, lambda features: None), find(name).reference
    assert str(block(4)) == str(reference(4))
    assert isinstance(copy.deepcopy(block(4)), block)
    block(4).load_state_dict(reference(4).state_dict())
    check(name, type("ResidualBlock", (block,), {}))
    assert "wrapper around the reference" in said(capsys)


def test_answer_may_call_fallback_of_other_exercise(capsys):
    discriminator_loss = check("srgan.discriminator_loss", lambda real, fake: fake)
    inner = find("degradation.psnr").reference
    check("degradation.psnr", lambda sr, hr, crop: inner(sr, hr, crop) + 0 * discriminator_loss(sr[:1], hr[:1]))
    assert "correct The lab" in said(capsys)
