"""Test README and ``docs/``: commands, code and tables."""

import importlib.util
import re
import shlex
import shutil
import subprocess
import textwrap

import mistune
import nbformat
import pytest
import torch
import torch.nn.functional as F

from srlab.cli.main import main
from srlab.data.images import read_image, write_image
from srlab.models import MSRResNet
from srlab.models.loading import load_bundled
from srlab.models.realesrgan import find_realesrgan
from srlab_course.feedback.checks import check
from srlab_course.lab.recipes import read_book
from tests.conftest import LABS as NOTEBOOKS
from tests.conftest import ROOT, leave_run

README = ROOT / "README.md"
TEACHING = ROOT / "docs" / "teaching.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}


CHECKED = [text for page, text in TEXTS.items() if page.name != "ladder.md"]  # its code is for tests/workshops/
FENCED = [found for text in CHECKED for found in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)]
BLOCKS = [block.replace("\\\n", " ") for language, block in FENCED if not language]  # without line breaks in commands
LINES = [line.strip() for block in BLOCKS for line in block.splitlines() if line]
COMMANDS = [re.sub(r"^(\.venv/bin/python|python3) ", "python ", line) for line in LINES]
CELLS = [line for language, block in FENCED if language == "ipython" for line in block.splitlines()]
LABS = [line for line in COMMANDS + CELLS if "notebooks/0" in line]
LABS += [f"papermill {line}" for text in TEXTS.values() for line in re.findall(r"`papermill (notebooks/0.*?)`", text)]


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("make ")])
def test_make_commands(command):
    subprocess.run([*shlex.split(command, comments=True), "-n"], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith(("python ", "sbatch "))])
def test_script_commands(command):
    words = shlex.split(command)
    if "-m" in words:
        assert importlib.util.find_spec(words[words.index("-m") + 1])
        return
    script = next(word for word in words if word.endswith((".py", ".sh")))
    text = (ROOT / script).read_text(encoding="utf-8")
    assert all(f'"{option}"' in text for option in words if option.startswith("--") and script.endswith(".py"))


@pytest.mark.parametrize("command", LABS)
def test_papermill_commands(command):
    words = shlex.split(command)
    file = ROOT / next(word for word in words if word.endswith(".ipynb"))
    book = read_book(file.parent / "recipes" / f"{file.stem}.py")
    for flag, name, value in zip(words, words[1:], [*words[2:], ""], strict=False):
        assert flag != "-f"
        if flag == "-p":
            assert name in book.lab.settings, name
            assert name != "recipe" or value in book.recipes


@pytest.fixture
def desk(tmp_path, monkeypatch, home):
    """Create small versions of the files that the srlab commands use."""
    monkeypatch.chdir(tmp_path)
    picture = torch.rand(3, 48, 52, generator=torch.Generator().manual_seed(0))
    for name in ("path/to/Set5/HR/a.png", "path/to/results/a.png", "data/Set5/HR/a.png", "photos/a.png", "photo.png"):
        write_image(picture, tmp_path / name)
    (tmp_path / "photo.png").rename(tmp_path / "photo.jpg")
    for name in ("one.jpg", "two.jpg", "three.jpg"):
        write_image(picture, tmp_path / name)
    for lab, name in (("01_srresnet", "default"), ("03_srgan", "default"), ("04_esrgan", "mine")):
        run = leave_run(lab, name, 1)
        run.save_generator(MSRResNet(1, 4), 1)
        run.path.joinpath("metrics.jsonl").write_text('{"step": 1, "loss": 1.0}\n', encoding="utf-8")
    (tmp_path / "notebooks").mkdir()  # some commands write next to the labs
    for there in (ROOT / "notebooks").iterdir():
        (tmp_path / "notebooks" / there.name).symlink_to(there)
    (tmp_path / "names.txt").write_text("03_srgan;Li, Anna\n", encoding="utf-8")
    for name in (f"{home}/notebooks/03_srgan.ipynb", "path/to/handed_in/03_srgan.ipynb", "handed_in/03_srgan.ipynb"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "notebooks" / "03_srgan.ipynb", tmp_path / name)


SRLAB = dict.fromkeys(command for command in COMMANDS if command.startswith("srlab "))
SLOW = pytest.mark.nightly  # a lab, an export to ONNX, or three networks on all validation photos


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize(
    "command", [pytest.param(c, marks=SLOW if re.match("srlab (execute|export)", c) else ()) for c in SRLAB]
)
def test_srlab_commands(command, monkeypatch):
    monkeypatch.setattr("jupyterlab.labapp.LabApp.launch_instance", lambda options: None)  # it would run until stopped
    if "--run realesrgan" in command and find_realesrgan() is None:
        pytest.skip("needs Real-ESRGAN; run make realesrgan")
    assert main(shlex.split(command)[1:]) == 0


PYTHON = [block for language, block in FENCED if language == "python"]
PYTHON = [
    pytest.param(block, id=f"block {k}", marks=SLOW if re.search(r"\.onnx|evaluate_all", block) else ())
    for k, block in enumerate(PYTHON)
]


@pytest.mark.parametrize("code", PYTHON)
def test_python_code(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_image(torch.rand(3, 21, 17, generator=torch.Generator().manual_seed(0)), "photo.jpg")
    if "net.onnx" in code:
        assert main(["export", "msrresnet", "net.onnx"]) == 0
    if "my_net" in code:
        (tmp_path / "my_net.py").write_text(
            "import srlab\ndef Net(): return srlab.MSRResNet(4, 32)\n", encoding="utf-8"
        )
        torch.save(load_bundled()["MSRResNet"].state_dict(), "my_net.pth")
        monkeypatch.syspath_prepend(tmp_path)
    exec(compile(code, "docs", "exec"), {})
    if "page.html" in code:
        assert "srlab-compare" in (tmp_path / "page.html").read_text(encoding="utf-8")
    if "photo_x4.png" in code:
        assert main(["upscale", "photo.jpg", "-o", "wanted.png", "--precision", "fp32"]) == 0
        difference = read_image("photo_x4.png") - read_image("wanted.png")
        assert difference.abs().max() < 1.5 / 255


PAGES_WITH_TABLES = [*PAGES, *ROOT.glob("srlab*/README.md"), *(ROOT / "notebooks" / "claims").glob("*.md")]


def rows_outside_tables(text):
    """Return the rows that a page on the web would show as text with pipes, such as those below a blank line."""
    tokens = mistune.create_markdown(renderer=None, plugins=["table"])(text)
    paragraphs = [token["children"] for token in tokens if token["type"] == "paragraph"]
    lines = [line for parts in paragraphs for line in "".join(part.get("raw", "\n") for part in parts).splitlines()]
    return [line for line in lines if line.lstrip().startswith("|")]


def test_row_below_blank_line_is_found():
    assert rows_outside_tables("| a | b |\n|---|---|\n| 1 | 2 |\n\ntext\n") == []
    assert rows_outside_tables("| a | b |\n|---|---|\n| 1 | 2 |\n\n| 3 | 4 |\n") == ["| 3 | 4 |"]


@pytest.mark.parametrize("page", PAGES_WITH_TABLES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_tables_are_whole(page):
    assert rows_outside_tables(page.read_text(encoding="utf-8")) == []


def test_table_of_labs():
    for lab in NOTEBOOKS:
        title = nbformat.read(lab, 4).cells[0].source.splitlines()[0].removeprefix("# ")
        row = rf"^\| \[{re.escape(title)}\]\(notebooks/{lab.name}\) \| \d+ / \d+ \|"
        assert re.search(row, TEXTS[README], re.M)


def test_glossary_names_sections():
    asked = set(re.findall(r"\b(0\d)\.(\d+|[A-D])\b", TEXTS[ROOT / "docs" / "glossary.md"]))
    labs = {lab.name[:2]: lab.read_text(encoding="utf-8") for lab in (ROOT / "notebooks").glob("*.ipynb")}
    assert len(asked) > 20
    assert [f"{lab}.{name}" for lab, name in asked if not re.search(rf'"## (Extra )?{name}[.:] ', labs[lab])] == []


def test_each_explain_question_has_answer():
    answers = dict(re.findall(r"^## Lab (\d\d)\n(.*?)(?=^## |\Z)", TEXTS[ROOT / "docs" / "answers.md"], re.M | re.S))
    for lab in NOTEBOOKS:
        cells = nbformat.read(lab, 4).cells
        place = next(place for place, cell in enumerate(cells) if cell.source.startswith("## Explain it to a friend"))
        questions = re.findall(r"^- ", cells[place + 1].source, re.M)
        assert len(re.findall(r"^- ", answers[lab.name[:2]], re.M)) == len(questions) > 0, lab.name


def test_hint_is_what_the_check_prints(capsys):
    def train_step(generator, optimizer, lr, hr):
        loss = F.mse_loss(generator(lr), hr)
        loss.backward()
        optimizer.step()
        return loss.detach()

    check("srresnet.train_step", train_step)
    printed = textwrap.indent(capsys.readouterr().out, "   ")
    assert f"   ```text\n{printed}   ```\n" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_minutes_are_those_at_the_top_of_the_lab(file):
    times = re.search(r"\*\*Time:\*\*.*", nbformat.read(file, 4).cells[0].source)[0]
    core, optional = times.split("optional", 1)
    core = sum(int(minutes) for minutes in re.findall(r"(\d+) minutes", core))
    optional = int(re.search(r"\((\d+) minutes\)", optional)[1])
    rounded = [15 * round(minutes / 15) for minutes in (core, optional)]
    row = re.search(rf"\(notebooks/{file.name}\) \| (\d+) / (\d+) \|", TEXTS[README])
    assert [int(minutes) for minutes in row.groups()] == rounded
    taught = 0  # in sessions and at home, as in "sections 6 (35), 8 and 9 (10 each)"
    for row in re.finditer(rf"^\| \d+ \| {file.stem[:2]} \| .*? \| (\d+) \| (.*)\|$", TEXTS[TEACHING], re.M):
        home = re.findall(r"(\d+(?: and \d+)*) \((\d+)( each)?\)", row[2])
        taught += int(row[1])
        taught += sum(int(minutes) * (len(re.findall(r"\d+", what)) if each else 1) for what, minutes, each in home)
    assert taught == pytest.approx(core + optional, abs=5)  # both are rounded
