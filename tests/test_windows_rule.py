"""Test that srlab keeps to Windows' rule about files in use, and prints in its encoding, both simulated on Linux."""

import mmap
import os
import re
import subprocess
import sys

import pytest

from tests import windows_rule
from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="simulates Windows on Linux")


def test_files_in_use_can_not_be_changed(tmp_path, monkeypatch):
    windows_rule.follow(monkeypatch.setattr)
    file, other = tmp_path / "folder" / "file", tmp_path / "other"
    file.parent.mkdir()
    file.write_bytes(b"content")
    other.write_bytes(b"other")
    with file.open("rb") as opened:
        mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    for change in (file.unlink, lambda: other.replace(file), lambda: file.parent.rename(tmp_path / "new")):
        with pytest.raises(PermissionError, match="in use"):
            change()
    mapped.close()
    other.replace(file)
    file.parent.rename(tmp_path / "new")
    assert (tmp_path / "new" / "file").read_bytes() == b"other"


RUN_ALL = """
import contextlib, sys
from srlab.cli.main import all_commands, main
for arguments in sys.argv[1:] or [f"{name} --help" for name in all_commands()]:
    with contextlib.suppress(SystemExit):
        main(arguments.split())
"""


@pytest.mark.parametrize(
    "commands", [(), pytest.param(("plan 00", "plan 03 --all", "progress", "runs"), marks=pytest.mark.nightly)]
)
def test_commands_print_in_the_encoding_of_windows(commands):
    """Print to a pipe in cp1252, where srlab escapes what the encoding doesn't have."""
    environment = os.environ | {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-c", RUN_ALL, *commands], cwd=ROOT, capture_output=True, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"\n") > 50
    assert not re.search(rb"\\u[0-9a-f]{4}", done.stdout)


TESTS = """
tests/data/test_cache.py tests/data/test_download.py tests/evaluation/test_folders.py tests/test_files.py
tests/test_upscale_files.py tests/training/test_resume.py tests/training/test_run_folder.py
tests/workshops/test_student_file.py
"""


@pytest.mark.nightly
@pytest.mark.long
def test_tests_of_files_pass_with_the_rule():
    command = [sys.executable, "-m", "pytest", "-p", "tests.windows_rule", "-p", "no:cacheprovider", *TESTS.split()]
    command += ["-k", "not changed_photos_rebuild_cache"]  # it counts files, of which mapped ones stay
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout[-9000:]


@pytest.mark.nightly
@pytest.mark.long
def test_labs_run_with_the_rule_and_without_a_locale(tmp_path):
    """Follow the rule in the command and in each kernel, in which nothing is UTF-8 unless the code names it."""
    start = f"import sys; sys.path.append({str(ROOT)!r})\nfrom tests import windows_rule\nwindows_rule.follow()\n"
    (tmp_path / "sitecustomize.py").write_text(start, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "SRLAB_HOME": str(tmp_path / "runs")}
    environment |= {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    labs = ("00", "01", "03", "05")
    for _ in range(2):  # the second call shows the runs of the first
        command = [sys.executable, "-m", "srlab", "execute", "--recipe", "smoke", *labs]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, env=environment)
        assert done.returncode == 0, done.stdout.decode(errors="replace")[-5000:]
