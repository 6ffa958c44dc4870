"""The commands of the README and of the page about GPUs: each names what exists, and nothing else is in the blocks."""

import re
import shlex
from pathlib import Path

import nbformat
import pytest

from srlab.cli.main import main
from srlab.cli.recipes import read_recipes

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "docs" / "gpu.md"]
BLOCKS = [
    block for page in PAGES for block in re.findall(r"```\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
]
COMMANDS = [
    line
    for block in BLOCKS
    for line in block.splitlines()
    if re.match(
        r"(make|papermill|python|torchrun|sbatch|srlab (upscale|evaluate|doctor|progress|solutions))( |$)", line
    )
]


def test_the_two_commands_come_first():
    assert COMMANDS[:2] == ["make labs", "make test"]


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("make ")])
def test_make_targets_exist(command):
    assert re.search(rf"^{command.split()[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("python ")])
def test_scripts_exist_and_know_their_options(command):
    script, *options = shlex.split(command)[1:]
    if script == "-m":
        script = options.pop(0).replace(".", "/") + ".py"
    text = (ROOT / script).read_text(encoding="utf-8")
    assert all(f'"{option}"' in text for option in options if option.startswith("--"))


@pytest.mark.parametrize("command", [c for c in COMMANDS if "notebooks/0" in c])
def test_papermill_gets_notebooks_recipes_and_parameters_that_exist(command):
    words = shlex.split(command)
    file = ROOT / next(word for word in words if word.endswith(".ipynb"))
    parameters = next(cell.source for cell in nbformat.read(file, 4).cells if "parameters" in str(cell.metadata))
    book = read_recipes(file.parent / "recipes" / f"{file.stem}.yaml")
    for flag, name, value in zip(words, words[1:], [*words[2:], ""], strict=False):
        if flag == "-p":
            assert re.search(rf"^{name} = ", parameters, re.MULTILINE) or name in book["meaning"], name
            assert name != "recipe" or value in book
        assert flag != "-f"


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("srlab ")])
def test_subcommands_know_their_options(command, capsys):
    _, name, *words = shlex.split(command)
    with pytest.raises(SystemExit, match="0"):
        main([name, "--help"])
    known = re.findall(r"--\w+", capsys.readouterr().out)
    assert {word for word in words if word.startswith("--")} <= set(known)


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("sbatch ")])
def test_batch_files_exist_and_start_what_torchrun_starts(command):
    script = next(word for word in shlex.split(command) if word.endswith(".sh"))
    assert "torchrun" in (text := (ROOT / script).read_text(encoding="utf-8"))
    assert '-m srlab.cli.papermill "$@"' in text


def test_every_lab_stands_in_the_table():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for lab in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
        assert f"notebooks/{lab.name}" in text
        title = nbformat.read(lab, 4).cells[0].source.splitlines()[0].removeprefix("# ")
        assert f"[{title}]" in text


def test_ci_runs_what_the_readme_says():
    commands = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line.startswith("make ")]
    assert commands == ["make test"]


def test_every_picture_is_there():
    pictures = re.findall(r"!\[.+\]\((.+?)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(pictures) >= 4
    assert [picture for picture in pictures if not (ROOT / picture).is_file()] == []
