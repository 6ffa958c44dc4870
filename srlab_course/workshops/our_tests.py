"""Run our tests on a student's file: the tests of a part, which are in the folder of the workshops' notebooks."""

from collections import Counter
from pathlib import Path

from srlab.errors import SrlabError
from srlab_course.feedback.checks import say
from srlab_course.workshops.own_file import Mine, hash_of_file, own_file, saved
from srlab_course.workshops.runner import Result, folder, run_tests

WIDTH = 64  # characters per line, because the notebook shares the window with the student's file
SHOWN = 3  # tests that failed and are shown in full
PRINTED = 10  # lines that a test has printed and that are shown
# File with tests -> its parts: the names of the tests of a part begin with test_ and the part.
PARTS = {
    "test_1_network.py": (
        *("sample_pairs", "generator", "psnr", "validate", "train_step", "fit", "training", "program"),
    ),
    "test_2_adversary.py": ("checkpoint", "saving", "resuming", "adversary", "gan_step", "train_gan"),
    "test_3_flow.py": ("flow", "loss", "walk", "sampler", "train_flow"),
    "test_ladder.py": ("ladder",),
}
_checked: dict[tuple[Path, str], str] = {}  # (file, part) -> hash of the file at its last check


def check(mine: Mine, part: str = "") -> None:
    """Run our tests of a part on a student's file, and print what failed first.

    In a terminal, ``python -m pytest test_1_network.py --mine mine.py -k test_PART`` runs the same tests.

    Parameters
    ----------
    mine
        Path of the file, or the module that `load` returned for it.
    part
        Name of the part, as in ``PARTS``, or the beginning of a test's name; "" for all parts except for the ladder.

    Raises
    ------
    SrlabError
        The part does not exist.
    """
    files = [name for name, parts in PARTS.items() if f"{part}_".startswith(tuple(f"{one}_" for one in parts))]
    files = files if part else [*PARTS][:-1]
    if not files:
        known = ", ".join(one for parts in PARTS.values() for one in parts)
        raise SrlabError(f"Part '{part}' not found. Parts: {known}.")
    try:
        path = own_file(mine)
    except SrlabError as missing:
        say("to do", str(missing), WIDTH)
        return
    now = hash_of_file(path)
    unchanged = _checked.get((path, part)) == now
    _checked[path, part] = now
    print(f"{saved(path)}{', unchanged since the last check' * unchanged}.")
    if unchanged:
        print("Did you save it? Click into the file and press Ctrl+S.")
    for name in files:
        print(f"{name} runs on it.", flush=True)
        outcome = run_tests(folder() / name, part, {path.name: path})[path.name]
        if outcome.broken:
            say("failed", f"{name} could not run: {outcome.broken}", WIDTH)
        show(outcome.results)


def show(results: list[Result]) -> None:
    """Print what failed, with the promise and the hint of the first tests; then what is to do, and what passed."""
    failed = [one for one in results if one.outcome == "failed"]
    first = {one.why: one for one in {one.name.partition("[")[0]: one for one in reversed(failed)}.values()}
    shown = sorted(first.values(), key=failed.index)[:SHOWN]
    for one in shown:
        promise, _, hint = one.docstring.partition("\n\n")
        say("failed", f"{one.name}: {' '.join(promise.split())}", WIDTH)
        say("", one.why, WIDTH)
        if hint.strip():
            say("hint", " ".join(hint.split()), WIDTH)
    if len(failed) > 1:
        say("failed", f"{len(failed)} tests in all. Begin with the first.", WIDTH)
    for missing, count in Counter(one.message for one in results if one.outcome == "skipped").items():
        say("to do", f"{missing} ({count} test{'s' * (count > 1)}).", WIDTH)
    if passed := sum(one.outcome == "passed" for one in results):
        say("passed", f"{passed} of {len(results)} tests.", WIDTH)
    printed = next((one.printed for one in (*shown, *results) if one.printed), "").splitlines()
    seed, printed = printed[:1], printed[1:]  # conftest.py prints the seed at the start of each test
    if shown or printed:
        for line in printed[:PRINTED]:
            say("printed", line, WIDTH)
        if len(printed) > PRINTED:
            say("", f"... and {len(printed) - PRINTED} more lines", WIDTH)
        for line in seed:
            say("seed", line.removeprefix("seed: "), WIDTH)
