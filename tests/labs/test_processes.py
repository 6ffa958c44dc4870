"""A lab on several processes by torchrun: one executed notebook, one run."""

import nbformat

from srlab import Run
from srlab.cli.papermill import read_headline

from .conftest import ROOT


def test_two_processes_leave_one_notebook_and_one_run(call, tmp_path, without_exploring, monkeypatch):
    monkeypatch.setenv("SRLAB_HOME", str(tmp_path / "runs"))
    torchrun = ("python", "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2)
    lab, out = without_exploring("03_srgan"), tmp_path / "out" / "lab.ipynb"
    out.parent.mkdir()
    result = call(*torchrun, "-m", "srlab.cli.papermill", lab, out, "-p", "recipe", "smoke", "-p", "run", "both")
    assert result.returncode == 0, result.stdout
    assert list(out.parent.iterdir()) == [out]
    assert read_headline(nbformat.read(out, 4))["peak_memory_mib"] > 0
    manifest = Run("03_srgan", "both").manifest()
    assert (manifest["processes"], manifest["state"]) == (2, "finished")
    steps = [row["step"] for row in Run("03_srgan", "both").metrics() if "g_loss" in row]
    assert steps == sorted(set(steps)), "each step is logged once"


def test_an_unknown_parameter_is_refused_as_by_papermill(call, tmp_path):
    lab = ROOT / "notebooks" / "01_srresnet.ipynb"
    result = call("python", "-m", "srlab.cli.papermill", lab, tmp_path / "out.ipynb", "-p", "itres", 5)
    assert result.returncode != 0
    assert "did you mean iters?" in result.stdout
