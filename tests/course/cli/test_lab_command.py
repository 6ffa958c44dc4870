"""Test srlab lab: JupyterLab starts with the same options from anywhere, and is safe with a stranger's notebook."""

import asyncio
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbformat import sign
from traitlets.config import PyFileConfigLoader

from srlab.cli.main import main
from tests.conftest import ROOT

ServerApp = pytest.importorskip("jupyter_server.serverapp").ServerApp
LabApp = pytest.importorskip("jupyterlab.labapp").LabApp
get_static_page_config = pytest.importorskip("jupyterlab_server.config").get_static_page_config


@pytest.fixture
def started(monkeypatch):
    """Collect the options of JupyterLab instead of starting it."""
    options = []
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "one of my own")
    monkeypatch.setattr(LabApp, "launch_instance", lambda given: options.extend(option[2:] for option in given))
    return options


def test_lab_opens_the_notebooks_from_any_folder(started, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["lab"]) == 0
    assert {f"ServerApp.{name}={ROOT / 'notebooks'}" for name in ("root_dir", "preferred_dir")} < {*started}
    places = (option.partition("=")[2] for option in started if "_dir=" in option or "basedirs=" in option)
    assert all(map(os.path.isdir, places))
    off = get_static_page_config(level="all")["disabledExtensions"]
    assert {"@jupyterlab/vega5-extension", "@jupyterlab/lsp-extension"} < {*off}
    course, own = os.environ["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    assert (own, Path(course, "jupyter_server_config.py").is_file()) == ("one of my own", True)


def test_lab_opens_a_copy_of_the_notebooks_with_the_settings_of_the_course(started, tmp_path, monkeypatch):
    (tmp_path / "notebooks" / "recipes").mkdir(parents=True)  # as `cp -r` leaves it
    monkeypatch.chdir(tmp_path)
    assert main(["lab", "notebooks", "--port", "8899"]) == 0
    assert {f"ServerApp.root_dir={tmp_path / 'notebooks'}", "ServerApp.port=8899"} < {*started}
    assert f"LabApp.app_settings_dir={ROOT / 'docs' / 'book' / 'jupyterlab'}" in started


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Return the settings of the server, with an empty folder for signatures and sockets."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("JUPYTER_RUNTIME_DIR", raising=False)
    file = ROOT / "docs" / "book" / "jupyterlab" / "jupyter_server_config.py"
    return lambda: PyFileConfigLoader(str(file)).load_config()


def test_no_language_server_is_looked_for(server):
    """Leave out an extension that starts Rscript, julia and npm in the opened folder; the package enables it."""
    app = ServerApp(config=server())
    app.find_server_extensions()
    assert app.jpserver_extensions["jupyterlab"] is True
    assert app.jpserver_extensions["jupyter_lsp"] is False


async def opened_saved_and_opened(contents):
    """Return what JupyterLab gets from a notebook before and after it saves it, which signs it."""
    before = (await contents.get("lab.ipynb"))["content"]
    saved = before | {"metadata": {**before["metadata"], "widgets": {"mine": 1}}}
    await contents.save({"type": "notebook", "content": saved}, "lab.ipynb")
    return before["metadata"], (await contents.get("lab.ipynb"))["content"]["metadata"]


def test_only_own_notebook_keeps_its_widgets(server, tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", id="a")], metadata={"widgets": {"a": 1}})
    nbformat.write(notebook, tmp_path / "lab.ipynb")
    contents = server().ServerApp.contents_manager_class(root_dir=str(tmp_path))
    with ThreadPoolExecutor(1) as thread:  # browser tests leave a loop running in this one
        before, after = thread.submit(asyncio.run, opened_saved_and_opened(contents)).result()
    assert "widgets" not in before
    assert after["widgets"] == {"mine": 1}


def test_notebook_names_no_exporter_but_pythons(server, tmp_path):
    contents = server().ServerApp.contents_manager_class(root_dir=str(tmp_path))
    for exporter, left in (("python", "python"), ("notebooks.mine.file.X", None)):
        language = {"name": "python", "nbconvert_exporter": exporter}
        notebook = nbformat.v4.new_notebook(metadata={"language_info": language})
        contents.mark_trusted_cells(notebook)
        assert notebook.metadata.language_info.get("nbconvert_exporter") == left


def test_signature_is_of_one_structure_only(server, tmp_path):
    """The texts of both notebooks, joined in the order of their keys, are equal, so nbformat signs both alike."""
    notary = server().ServerApp.contents_manager_class(root_dir=str(tmp_path)).notary
    shown, hidden = {"a": "b", "c": "d"}, {"a": "bcd"}
    first, second = (nbformat.v4.new_notebook(metadata={"x": part}) for part in (shown, hidden))
    plain = sign.NotebookNotary(data_dir=str(tmp_path), secret=b"secret")
    assert plain.compute_signature(first) == plain.compute_signature(second)
    assert notary.compute_signature(first) != notary.compute_signature(second)


def test_kernel_finds_the_notebooks_files_from_the_first_cell(server, monkeypatch):
    apps = []
    monkeypatch.setattr("ipykernel.kernelapp.IPKernelApp.launch_instance", classmethod(apps.append))
    monkeypatch.setattr("ipykernel.kernelapp.IPKernelApp.init_shell", lambda app: None)
    command = server().ServerApp.kernel_spec_manager_class().get_kernel_spec("python3").argv
    assert "-m" not in command
    monkeypatch.setattr(sys, "path", ["", *sys.path])  # as Python starts with -c
    exec(command[command.index("-c") + 1], {})
    app, shell = apps[0](), InteractiveShell()
    app.shell = shell
    app.init_path()
    app.init_shell()
    assert "" not in sys.path
    for _ in range(2):
        shell.events.trigger("pre_run_cell", None)
        assert sys.path.index("") == len(sys.path) - 1, "packages are found first"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other limits")
@pytest.mark.parametrize(("length", "transport"), [(57, {"transport": "ipc"}), (58, {})])
def test_kernels_use_sockets_if_their_names_are_short_enough(length, transport, server, monkeypatch):
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        folder = Path(short, "x" * (length - len(short) - 1))
        monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(folder))
        assert server().KernelManager == transport
        assert [*folder.glob("*")] == []
