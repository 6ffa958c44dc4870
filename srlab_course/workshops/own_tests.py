"""Judge a student's tests: they must accept the right designs of a function, and should catch the broken ones.

The designs are text, in ``designs/<function>_right_and_broken.md``, and change ``<function>_reference.py``, in the form
of the exercises (`srlab_course.feedback.exercise_text`). A right design has a sentence about what is different, and a
broken one the symptom that a bug report would describe. ``python -m srlab_course.workshops.designs FUNCTION`` shows
that our tests of the function, in the folder of the workshops' notebooks, accept and catch all of them.
"""

import ast
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from srlab.errors import SrlabError
from srlab_course.feedback.checks import say
from srlab_course.feedback.exercise_text import read_entries, read_sections, read_sources
from srlab_course.workshops.our_tests import WIDTH
from srlab_course.workshops.own_file import File, written
from srlab_course.workshops.runner import Outcome, run_tests

FOLDER = files("srlab_course.workshops") / "designs"
FUNCTIONS = ("validate", "gan_step", "walk")
LIMIT = 20.0  # seconds that a test may compute on a design


@dataclass(frozen=True)
class Design:
    """A design of a function: its name, what is different or the symptom, and the source of its module."""

    name: str
    text: str
    source: str


def read_designs(function: str, folder: Path = FOLDER) -> tuple[list[Design], list[Design]]:
    """Return the right designs of a function, the course's own first, and the broken ones."""
    if not (file := folder / f"{function}_right_and_broken.md").is_file():
        raise SrlabError(f"There are no designs of '{function}'. Choose {', '.join(FUNCTIONS)}.")
    reference = (folder / f"{function}_reference.py").read_text(encoding="utf-8")
    sections = read_sections(file.read_text(encoding="utf-8"), file, ("Right", "Broken"))
    right, broken = (
        [
            Design(name, text, source)
            for name, text, blocks in read_entries(sections[section], file)
            for source in read_sources(blocks, reference, file)
        ]
        for section in ("Right", "Broken")
    )
    names = [design.name for design in (*right, *broken)]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise SrlabError(f"In {file.name}, '{twice}' occurs twice. Rename one, or close the gap in its code.")
    for design in (*right, *broken):
        try:
            ast.parse(design.source)
        except SyntaxError as error:
            raise SrlabError(f"In {file.name}, the code of '{design.name}' is not valid Python: {error}.") from None
    different = ast.get_docstring(ast.parse(reference)).partition("\n\n")[2]
    return [Design("the course's own", different, reference), *right], broken


def try_tests(tests: File, function: str, mine: File = "mine.py") -> None:
    """Run a student's tests for right and broken designs of a function, and print which they accept and catch.

    Broken designs count only if all right ones are accepted, because a test that always fails catches everything. A
    missed one is told as a symptom, and named once it's caught. At the end, the tests run for the student's own code.

    Parameters
    ----------
    tests
        Path of the test file. Tests whose names contain that of the function are run. They import it from ``mine``.
    function
        ``"validate"``, ``"gan_step"`` or ``"walk"``.
    mine
        Path of the student's file.

    Raises
    ------
    SrlabError
        There are no designs of this function.
    """
    right, broken = read_designs(function)
    path = Path(tests)
    if not path.is_file():
        say(
            "to do",
            f"{path} not found. Create it next to this notebook, with tests whose names begin with test_{function}.",
            WIDTH,
        )
        return
    others = "\n".join((FOLDER / f"{one}_reference.py").read_text(encoding="utf-8") for one in FUNCTIONS)
    own = Path(mine)
    designs = [*right, *broken]
    print(f"{path.name} runs on {len(designs)} designs, which takes up to half a minute.", flush=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        sources = {design.name: Path(place, f"design_{number}.py") for number, design in enumerate(designs)}
        for design in designs:  # a file may test the other functions, too
            sources[design.name].write_text(f"{others}\n{design.source}", encoding="utf-8")
        if own.is_file() and hasattr(written(own), function):
            sources[own.name] = own
        seen = run_tests(path, function, sources, LIMIT)
    first = seen[right[0].name]
    if first.broken:
        text = f"{path.name} can't be imported: {first.broken}. Tests begin with `from mine import {function}`."
        say("failed", text, WIDTH)
        return
    if first.left_out:
        say("note", f"Not run here, by their names: {', '.join(first.left_out)}.", WIDTH)
    if not first.ran:
        say("failed", f"{path.name} has no test of `{function}`. Begin the name of each with test_{function}.", WIDTH)
        return
    if not _accepts(right, seen):
        return
    _catches(broken, seen, len(right))
    if own.name in seen:
        _own(own.name, seen[own.name])
    else:
        say("to do", f"Write {function} in {own.name}, and run this cell again for it.", WIDTH)


def _accepts(right: list[Design], seen: Mapping[str, Outcome]) -> bool:
    """Print which tests fail on which right designs, and return whether there are none."""
    rejected = [design for design in right if seen[design.name].failed]
    always = set.intersection(*(set(seen[design.name].failed) for design in right))
    for test in sorted(always):
        where = seen[right[0].name].failed[test]
        say("failed", f"{test} fails on each right design, so look at the test first: {where}", WIDTH)
    for test in dict.fromkeys(test for design in rejected for test in seen[design.name].failed if test not in always):
        designs = [design for design in rejected if test in seen[design.name].failed]
        names = ", ".join(design.name for design in designs)
        about = f"{designs[0].text} {seen[designs[0].name].failed[test]}"
        say("strict", f"{test} fails on right designs: {names}. About the first: {about}", WIDTH)
    if rejected:
        passing = f"{len(right) - len(rejected)} of {len(right)} right designs pass your tests"
        say("to do", f"{passing}. Broken ones count once all of them do.", WIDTH)
    return not rejected


def _catches(broken: list[Design], seen: Mapping[str, Outcome], right: int) -> None:
    """Print which broken designs are caught, by which test, the symptoms of the others, and idle tests."""
    say("passed", f"All {right} right designs pass your tests.", WIDTH)
    caught = {design.name: [*seen[design.name].failed] for design in broken if seen[design.name].failed}
    for name, tests in caught.items():
        say("caught", f"{name}, by {tests[0]}", WIDTH)
    for design in broken:
        if design.name not in caught:
            say("missed", f'A bug report: "{design.text}"', WIDTH)
    catching = {test for tests in caught.values() for test in tests}
    if idle := [test for test in next(iter(seen.values())).ran if test not in catching]:
        caught_nothing = f"Caught none of these: {', '.join(idle)}. What would have to be wrong for it to fail?"
        say("hint", f"{caught_nothing} Break your own function like that, and see.", WIDTH)
    say("passed" if len(caught) == len(broken) else "to do", f"{len(caught)} of {len(broken)} are caught.", WIDTH)


def _own(name: str, outcome: Outcome) -> None:
    """Print what the tests find in a student's file."""
    for test, why in outcome.failed.items():
        say("failed", f"{test} fails on {name}: {why}", WIDTH)
    if outcome.broken:
        say("failed", f"The tests can't import from {name}: {outcome.broken}.", WIDTH)
    elif not outcome.failed:
        say("passed", f"All of your tests ({len(outcome.ran)}) pass on {name}.", WIDTH)
