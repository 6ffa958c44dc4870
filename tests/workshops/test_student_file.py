"""Test how a student's file is read, executed and checked, whatever it contains."""

import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest

import srlab
from srlab_course import workshops
from srlab_course.workshops import our_tests
from srlab_course.workshops.our_tests import show
from srlab_course.workshops.runner import Outcome, Result, folder, observe
from tests.course.feedback.test_seeding import random_states

FIRST_TEST = """
import os, random, sys, torch

print("hello")
open("trace.txt", "w").close()


def fit(step, iters, checkpoint=None, stop=None):
    random.seed(1)
    torch.manual_seed(1)
    for k in range(12):
        print("step", k)
    if stop is not None:
        raise RuntimeError("not yet")
    return [step() for _ in range(iters)]
"""


@pytest.mark.long
def test_check_prints_what_failed_first(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file, before = tmp_path / "mine.py", random_states()
    file.write_text(FIRST_TEST, encoding="utf-8")
    workshops.check("mine.py", "fit")
    assert random_states() == before
    assert [one.name for one in tmp_path.iterdir()] == ["mine.py"]
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.startswith(
        "mine.py, saved 0 s ago, 15 lines. test_1_network.py runs on it. failed test_fit_stops_early[4-4]"
    )
    assert "`stop` ends the call early. It may be 0, or larger than `iters`. line 14 of mine.py" in printed
    assert "RuntimeError: not yet hint Is 0 the same as None" in printed
    assert "9 tests in all" in printed
    assert "passed 1 of 10 tests. printed hello printed step 0" in printed
    assert printed.endswith("printed step 8 ... and 3 more lines seed 8191")


def test_check_groups_and_orders_what_it_shows(capsys):
    doc = "It is\nshort.\n\nWhich\nline?"
    failed = Result("test_a[1]", "failed", "assert 1 == 2", "line 7", doc, "seed: 1\n")
    rest = [Result(f"test_{k}", "failed", f"assert {k}", "line 8", doc) for k in range(5)]
    skipped = [Result(f"test_s{k}", "skipped", "`fit` is not written yet") for k in range(2)]
    passed = Result("test_p", "passed", printed="seed: 1\n")
    show([passed, failed, replace(failed, name="test_a[2]"), *rest, *skipped])
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.count("hint Which line?") == 3
    assert "failed test_a[1]: It is short. line 7: assert 1 == 2 hint" in printed
    assert "test_a[2]" not in printed
    assert "7 tests in all" in printed
    assert "to do `fit` is not written yet (2 tests). passed 1 of 10 tests. seed 1" in printed
    show([passed])
    assert capsys.readouterr().out == "  passed    1 of 1 tests.\n"


@pytest.mark.parametrize("part", ["", "fit", "fit_stops_early", "ladder", "ladder_5"])
def test_part_selects_tests_by_the_beginning_of_their_names(part, tmp_path, capsys, monkeypatch):
    (tmp_path / "mine.py").touch()
    monkeypatch.setattr(our_tests, "run_tests", lambda tests, part, files: {"mine.py": Outcome()})
    workshops.check(tmp_path / "mine.py", part)
    ran = re.findall("(.*) runs on it", capsys.readouterr().out)
    assert ran == (
        [*our_tests.PARTS][:3] if not part else ["test_ladder.py" if "ladder" in part else "test_1_network.py"]
    )


def test_part_that_does_not_exist(tmp_path):
    with pytest.raises(srlab.SrlabError, match=r"Part 'fitt' not found\. Parts: sample_pairs, generator"):
        workshops.check(tmp_path / "mine.py", "fitt")


def test_file_that_does_not_exist_yet(tmp_path, capsys):
    workshops.check(tmp_path / "mine.py", "sample_pairs")
    assert workshops.written(tmp_path / "mine.py", "load_photos", "psnr") is None
    printed = capsys.readouterr().out
    assert "to do" in printed
    assert "needs load_photos, psnr in mine.py" in printed


def test_folder_of_photos(tmp_path, monkeypatch, home):
    monkeypatch.setenv("SRLAB_DATA", str(tmp_path / "file"))  # cannot be written, as that of a class hub
    (tmp_path / "file").touch()
    mine = home / "cache" / "bundled_photos" / "camera.png"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    assert len(list(workshops.photo_folder().iterdir())) == 16
    assert mine.read_bytes() == b"mine"
    assert workshops.photo_folder(str(tmp_path)) == tmp_path
    with pytest.raises(srlab.SrlabError, match=r"none not found\. Correct `images`"):
        workshops.photo_folder("none")


def test_file_that_was_not_saved_since(tmp_path, capsys, monkeypatch):
    file = tmp_path / "mine.py"
    file.touch()
    monkeypatch.setattr(our_tests, "run_tests", lambda tests, part, files: {"mine.py": Outcome()})
    workshops.check(file, "fit")
    workshops.check(file, "psnr")  # another part of the same file
    assert "Did you save it?" not in capsys.readouterr().out
    workshops.check(file, "fit")
    assert "unchanged since the last check.\nDid you save it?" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            b"import torch\n\nfor k in range(3)\n    pass\n",
            "Line 3 of mine.py is not valid Python: expected ':' (`for k in range(3)`)",
        ),
        ("# Größe\n".encode("cp1252"), "mine.py is not saved in UTF-8, which Python expects."),
        ("# my file\n".encode("utf-16"), "mine.py is not saved in UTF-8, which Python expects."),
        (b"# coding: klingon\n", "mine.py is not saved in UTF-8, which Python expects."),
        (
            b"import argparse\nargparse.ArgumentParser().error('no photo')\n",
            "Line 2 of mine.py calls sys.exit, which would end the notebook",
        ),
    ],
)
def test_file_that_is_not_valid(content, words, tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_bytes(content)
    assert workshops.written(file, "fit") is None
    assert words in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"def fit(step)\n", "line 1 of mine.py: SyntaxError: expected ':'"),
        (b"import nothing_there\n", "line 1 of mine.py, `import nothing_there`: ModuleNotFoundError"),
        (b"import sys\nsys.exit(2)\n", "line 2 of mine.py, `sys.exit(2)`: SystemExit: 2"),
    ],
)
def test_file_that_is_not_valid_fails_each_test(content, why, tmp_path):
    tests, file, found = tmp_path / "test_a.py", tmp_path / "mine.py", []
    tests.write_text("def test_fit(mine): ...", encoding="utf-8")
    file.write_bytes(content)

    def report(kind, content):
        if kind == "result":
            found.append(Result(**content))

    observe(tests, "fit", file, folder() / "conftest.py", report)
    assert [one.outcome for one in found] == ["failed"]
    assert why in found[0].why


def test_kept_network_names_the_line_that_ends_python(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("raise SystemExit\n", encoding="utf-8")
    (tmp_path / "network.pt").touch()
    with pytest.raises(srlab.SrlabError, match=r"Line 1 of mine\.py calls sys\.exit, which would end the notebook"):
        workshops.kept(file, "network")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252"])
def test_encodings_of_python_are_read(encoding, tmp_path):
    (tmp_path / "mine.py").write_text(f"# coding: {encoding}\nSIZE = 'Größe'\n", encoding=encoding)
    assert workshops.load(tmp_path / "mine.py").SIZE == "Größe"


@pytest.mark.nightly
def test_a_terminal_gives_the_same_result(tmp_path, capsys):
    """Run the command of the notebook with a relative path, and with other options in the environment."""
    (tmp_path / "hers.py").write_text(FIRST_TEST, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", str(folder() / "test_1_network.py"), "--mine", "hers.py", "-k", "fit"]
    options = os.environ | {"PYTEST_ADDOPTS": "-p no:cacheprovider -v"}
    done = subprocess.run(command, cwd=tmp_path, env=options, capture_output=True, encoding="utf-8")
    assert "9 failed, 1 passed" in done.stdout
    workshops.check(tmp_path / "hers.py", "fit")
    printed = capsys.readouterr().out
    assert "9 tests in all" in printed
    assert "1 of 10 tests" in printed
    command[-3] = "nothing.py"
    assert "nothing.py not found" in subprocess.run(command, capture_output=True, encoding="utf-8").stderr
