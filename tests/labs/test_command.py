"""Test `papermill 04_esrgan.ipynb out.ipynb -p iters N` with and without existing runs."""

import json

import nbformat
import pytest

from srlab import Run
from tests.conftest import ROOT

STEPS = 24


@pytest.fixture
def typed(call, tmp_path):
    """Run it with the recipe for CI; return what it and the notebook printed."""
    notebook, lab = nbformat.read(ROOT / "notebooks" / "04_esrgan.ipynb", 4), tmp_path / "04_esrgan.ipynb"
    notebook.cells = [cell for cell in notebook.cells if "not-in-studies" not in cell.metadata.get("tags", [])]
    nbformat.write(notebook, lab)

    def run(*given):
        out = tmp_path / "out.ipynb"
        result = call("python", "-m", "papermill", lab, out, "-p", "recipe", "smoke", "-p", "batch", 2, *given)
        assert result.returncode == 0, result.stdout
        outputs = [o for cell in json.loads(out.read_text())["cells"] for o in cell.get("outputs", [])]
        return "".join("".join(o.get("text", "")) for o in outputs)

    return run


@pytest.mark.nightly
def test_longer_run_gets_another_name(typed):
    """Check that a longer run does not continue the schedule of the shorter one from `make labs`."""
    short, long = Run("04_esrgan", "smoke-batch-2"), Run("04_esrgan", f"smoke-{STEPS}-batch-2")
    assert f"run:     04_esrgan/{short.name}\n" in typed()
    before = short.manifest()
    assert f"run:     04_esrgan/{long.name}\n" in typed("-p", "iters", STEPS)
    assert short.manifest() == before
    assert long.manifest()["step"] == STEPS
    assert Run("04_esrgan", f"{long.name}-psnr").manifest()["step"] == 40 * STEPS // 10
    assert max(row["rate"] for row in long.metrics() if "rate" in row) > 1e-4, "half of the recipe's learning rate"

    said = typed("-p", "run", short.name, "-p", "iters", 4 * STEPS)
    assert f" numbers, 04_esrgan/{short.name}-psnr\n" in said
    assert f"from step 10, iters=10 (now {4 * STEPS})" in said
    manifest = short.manifest()
    assert manifest["continued"] == [{"step": 10, "from": 10, "to": 4 * STEPS}]
    assert (manifest["step"], manifest["status"]) == (4 * STEPS, "finished")
