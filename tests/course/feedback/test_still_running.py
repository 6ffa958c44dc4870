"""Test that a student's code that runs for long, or leaves, is reported and doesn't end the kernel."""

import sys
import time
from types import SimpleNamespace

import pytest

from srlab_course.feedback import still_running


@pytest.mark.parametrize(("seconds", "said"), [(0.0, ""), (0.3, "psnr still runs, which may be fine")])
def test_only_a_long_run_is_reported(seconds, said, monkeypatch, capsys):
    monkeypatch.setattr(still_running, "PATIENCE", 0.05)
    with still_running.running("psnr"):
        time.sleep(seconds)
    time.sleep(0.1)
    printed = capsys.readouterr().out
    assert printed.startswith(said)
    assert printed.count("\n") == bool(said)


def test_exit_of_ipython_stops_the_code_and_not_the_kernel(monkeypatch):
    ended = []
    shell = SimpleNamespace(ask_exit=lambda: ended.append("kernel"))
    monkeypatch.setattr(still_running, "running_shell", lambda: shell)
    with pytest.raises(SystemExit), still_running.running("psnr"):
        shell.ask_exit()
    assert not ended
    assert shell.ask_exit is not sys.exit
