"""What comes from outside stays data: no code out of files, no markup out of names, no path out of its folder."""

import ast
import json
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import torch

import srlab
from srlab import models
from srlab.base import files
from srlab.base.errors import SrlabError
from srlab.cli import papermill
from srlab.data import datasets
from srlab.models import weights
from srlab.view import plots
from srlab.view.comparison import live
from srlab.view.comparison.sheet import draw_contact_sheet
from studies import tables

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("srlab", "studies", "data_scripts", "benchmarks", "docs", "notebooks", "tests")
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "<!--<script>",
    '" onmouseover="alert(1)',
    "' onmouseover='alert(1)",
    "&lt;b&gt;",
    r"$\frac$",
    "$$",
    "a|b",
    "a\nb",
    "\x1b[31mred",
    "[x](javascript:alert(1))",
]
names = pytest.mark.parametrize("name", HOSTILE, ids=[ascii(name) for name in HOSTILE])

# --- no call that runs what a file holds, and no shell ---

UNPICKLERS = {"pickle", "dill", "joblib", "cloudpickle", "shelve", "marshal"}
NEVER = {"eval", "exec", "os.system", "os.popen", "tempfile.mktemp", "subprocess.getoutput", "pd.read_pickle"}
NEVER |= {"subprocess.getstatusoutput", "torch.hub.load", "torch.jit.load", "pandas.read_pickle"}
MUST_SAY = {"torch.load": "weights_only", "torch.hub.load_state_dict_from_url": "weights_only"}


def dangers(source):
    """(line, what) for each call or import that is refused, as it is usually spelled."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, f"import {n.name}") for n in node.names if n.name.partition(".")[0] in UNPICKLERS)
        elif isinstance(node, ast.ImportFrom):
            for name in (f"{node.module}.{imported.name}" for imported in node.names):
                unpickles = name.partition(".")[0] in UNPICKLERS and name != "pickle.UnpicklingError"  # no loader
                if unpickles or name in {*NEVER, *MUST_SAY, "yaml.load", "numpy.load"}:
                    yield node.lineno, f"from {node.module} import {name.rpartition('.')[2]}"
        elif isinstance(node, ast.Call) and (what := call_danger(node)):
            yield node.lineno, what


def call_danger(call):
    name = ast.unparse(call.func)
    said = {word.arg: word.value.value if isinstance(word.value, ast.Constant) else ... for word in call.keywords}
    if name in NEVER:
        return f"{name}()"
    if name in MUST_SAY and said.get(MUST_SAY[name]) is not True:
        return f"{name}() without {MUST_SAY[name]}=True"
    if re.fullmatch(r"yaml\.(\w+_)?load(_all)?", name) and not name.startswith("yaml.safe_"):
        return f"{name}() instead of yaml.safe_load()"
    if name.endswith(".extractall") and "filter" not in said:
        return f"{name}() without filter="
    if name.startswith("subprocess.") and call.args and is_text(call.args[0]):
        return f"{name}() of one text instead of a list"
    for word, harmless in (("shell", False), ("allow_pickle", False), ("verify", True)):
        if said.get(word, harmless) is not harmless:
            return f"{name}({word}={said[word]})"
    return None


def is_text(node):
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def sources():
    """(place, source) of every module and of every code cell; magics of a cell are no Python."""
    for file in (file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py"))):
        yield file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8")
    for file in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for number, cell in enumerate(json.loads(file.read_text(encoding="utf-8"))["cells"]):
            if cell["cell_type"] == "code":
                source = "".join(cell["source"])
                assert not re.search(r"^\s*!", source, re.MULTILINE), f"{file.name}, cell {number}: a shell command"
                yield f"{file.name}, cell {number}", re.sub(r"^(\s*)%.*", r"\1pass", source, flags=re.MULTILINE)


def test_no_module_and_no_lab_calls_what_runs_or_unpickles_a_file():
    found, seen = [], 0
    for place, source in sources():
        seen += 1
        # Tests make hostile files, and run cells of the labs.
        fine = ("exec()", "import pickle") if place.startswith("tests/") else ()
        found += [f"{place}:{line}: {what}" for line, what in dangers(source) if what not in fine]
    assert seen > 200, "the modules and labs were not found"
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "import joblib.numpy_pickle",
        "from pickle import loads",
        "from os import system",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=flag)",
        "from torch import load",
        "torch.hub.load_state_dict_from_url(url)",
        "torch.hub.load('a/b', 'c')",
        "np.load(path, allow_pickle=True)",
        "pd.read_pickle(path)",
        "yaml.load(text, Loader=yaml.Loader)",
        "yaml.unsafe_load(text)",
        "eval(text)",
        "exec(text)",
        "os.system('ls')",
        "os.popen(text)",
        "subprocess.run(words, shell=True)",
        "subprocess.run(words, shell=flag)",
        "subprocess.run(f'ls {path}')",
        "archive.extractall(folder)",
        "tempfile.mktemp()",
        "requests.get(url, verify=False)",
    ],
)
def test_each_of_these_would_be_found(code):
    assert [line for line, _ in dangers(f"'''A module.'''\n{code}\n")] == [2]


@pytest.mark.parametrize(
    "code",
    [
        "from pickle import UnpicklingError",
        "torch.load(path, weights_only=True)",
        "network.eval()",
        "yaml.safe_load(text)",
        "np.load(path)",
        "subprocess.run([program, text], shell=False)",
        "archive.extractall(folder, filter='data')",
        "tmp_path_factory.mktemp('x')",
    ],
)
def test_what_is_harmless_is_not(code):
    assert not list(dangers(code))


@pytest.mark.parametrize("study", ["content_loss", "esrdgan_tricks"])
def test_no_name_becomes_a_command_in_the_shell_of_a_study(study, tmp_path):
    text = (ROOT / "studies" / study / "Snakefile").read_text(encoding="utf-8")
    for command in re.findall(r"^    shell:\n((?: {8}.*\n?)+)", text, re.MULTILINE):
        bare = [name for name in re.findall(r"(?<!{){([^{}]+)}(?!})", command) if not name.endswith(":q")]
        assert set(bare) == {"IN_ROOT"}, "every other value of a command is quoted"
    folder = tmp_path / "it's $(touch owned)"  # Python's quotes are not those of a shell
    folder.mkdir()
    known = {"ROOT": folder, "OUT": folder, "THREADS": 1, "sys": SimpleNamespace(executable="true")}
    exec("from shlex import quote\n" + re.search(r"^IN_ROOT = .*", text, re.MULTILINE)[0], known)
    done = subprocess.run(["bash", "-c", known["IN_ROOT"]], cwd=tmp_path)
    assert done.returncode == 0
    assert not list(tmp_path.rglob("owned"))


# --- names are text wherever they are shown ---


class Page(HTMLParser):
    """The elements of a page with the names of their attributes, and what is text in it."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.texts, self.attributes = [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, tuple(name for name, _ in attributes)))
        self.attributes += attributes

    def handle_data(self, data):
        self.texts.append(data)

    def handle_comment(self, data):
        self.elements.append(("comment", (data,)))


def tags(html):
    return {tag for tag, _ in Page(html).elements}


def noise(seed=0):
    return torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(seed))


def slider(name):
    images = {name: noise(), "SR": noise(1), "HR": noise(2)}
    return srlab.compare(images, left=name, scores={name: name, "SR": name}, caption=name)


@names
def test_a_name_adds_nothing_to_a_slider_but_text(name, tmp_path):
    comparison = slider(name)
    html = comparison.save(tmp_path / "page.html").read_text(encoding="utf-8")
    page = Page(html)
    assert page.elements == Page(slider("name").save(tmp_path / "plain.html").read_text(encoding="utf-8")).elements
    assert ("alt", name) in page.attributes
    assert page.texts.count(name) == 4, "label, two notes, and the caption"
    settings = re.search(r"const settings = (.*);", html)[1]
    assert json.loads(settings)["labels"][0] == name
    assert "<" not in settings


@names
def test_controls_of_a_live_slider_take_names_as_text(name):
    pytest.importorskip("anywidget")
    network = {name: lambda lr: srlab.upsample(lr, 4), "other": lambda lr: srlab.upsample(lr, 4)}
    box = srlab.compare_live(
        {name: noise(), "b": noise(1)}, network, crop=16, degradation=lambda s: srlab.Degradation(),
        strength=(name, 0, 1, 0.5),
    )  # fmt: skip
    image, model, strength = box.children[0].children
    assert name in image.options
    assert name in model.options
    assert not any(control.description_allow_html for control in (image, model, strength))
    assert box.children[2].content["labels"] == ["LR", "bicubic", name, "HR"]


def test_no_script_of_srlab_makes_markup_out_of_text():
    pytest.importorskip("anywidget")
    from srlab.view import ballot_view

    scripts = [file.read_text(encoding="utf-8") for file in (ROOT / "srlab").rglob("*.js")]
    scripts += [live._RENDER, ballot_view._RENDER]
    for script in scripts:
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", script)


@pytest.fixture
def shown(monkeypatch):
    """What a figure displays; a name that is set as a formula fails."""
    from matplotlib.mathtext import MathTextParser

    def refuse(self, text, *_, **__):
        raise AssertionError(f"{text!r} was taken for a formula")

    objects = []
    monkeypatch.setattr(MathTextParser, "parse", refuse)
    monkeypatch.setattr("IPython.display.display", lambda *what, **_: objects.extend(what))
    return objects


def scored(name):
    rows = [(name, image, method, p, e) for image in "ab" for method, p, e in ((name, 24.0, 0.3), ("x", 25.0, 0.4))]
    return pd.DataFrame(rows, columns=["set", "image", "method", "psnr", "energy_error"])


FIGURES = {
    "images": lambda name: plots.images({name: noise(), "HR": noise()}, "", notes={name: name}),
    "sheet": lambda name: plots.to_png(draw_contact_sheet({name: noise()}, {name: (0, 0, 8, 8)}, {name: name})),
    "maps": lambda name: plots.maps({name: noise()[0]}, "", "unit"),
    "lines": lambda name: plots.lines({name: ([0, 1], [1, 2]), "b": ([0, 1], [2, 3])}, "", "x", "y", name),
    "bars": lambda name: plots.bars({name: 1.0}, "", "x", name),
    "perception": lambda name: srlab.perception_distortion(scored(name)),
}


@names
@pytest.mark.parametrize("figure", FIGURES.values(), ids=FIGURES)
@pytest.mark.filterwarnings("ignore:Glyph")
def test_a_figure_draws_a_name_as_it_is(figure, name, shown):
    figure(name)


def rendered(text):
    """Markdown as an exported notebook shows it."""
    return pytest.importorskip("nbconvert.filters.markdown_mistune").markdown2html_mistune(text)


@names
def test_a_caption_is_text(name, shown, monkeypatch):
    # Drawing is slow, and tested above.
    monkeypatch.setattr(plots, "to_png", lambda figure: b"\x89PNG\r\n\x1a\n" + bytes(24))
    plots.show(plots.draw_images({"HR": noise()}), f"Seen: {name}.")
    srlab.perception_distortion(scored(name.replace("$", "")))
    captions = [thing.data for thing in shown if hasattr(thing, "_repr_markdown_")]
    assert len(captions) == 2
    for caption in captions:
        assert tags(rendered(caption)) <= {"p", "em"}, caption


@names
def test_a_table_shows_names_as_text(name):
    page = Page(scored(name)._repr_html_())
    assert {tag for tag, _ in page.elements} <= {"div", "style", "table", "thead", "tbody", "tr", "th", "td", "p"}
    wanted, found = "".join(name.split()), "".join("".join(page.texts).split())
    assert wanted.replace("\\n", "") in found.replace("\\n", "")


def test_a_styled_table_of_names_escapes_them():
    """Pandas escapes names in a plain table, but not in a styled one; those that begin with names hide their index."""
    bare = []
    for place, source in sources():
        for node in ast.walk(ast.parse(source)) if ".style." in source else ():
            if isinstance(node, ast.Call) and ast.unparse(node).endswith(".hide(axis='index')"):
                bare += [] if "escape='html'" in ast.unparse(node) else [place]
    assert not bare, f"style.format needs escape='html' in {', '.join(bare)}"


@names
def test_a_name_stays_in_its_cell_of_a_report(name):
    html = rendered(tables.markdown([name, "b"], [["first<br>second", name], ["x", "y"]]))
    page = Page(html)
    counted = [sum(tag == wanted for tag, _ in page.elements) for wanted in ("tr", "th", "td")]
    assert counted == [3, 2, 4]
    assert tags(html) <= {"table", "thead", "tbody", "tr", "th", "td", "br"}
    assert any(name.split()[0] in text for text in page.texts)


@names
def test_a_report_shows_the_caption_of_a_figure_as_text(name):
    html = rendered("\n\n".join(tables.pictures([(Path("figures/a.png"), name)], Path("figures"))))
    assert tags(html) <= {"p", "em", "img"}
    assert sum(tag == "img" for tag, _ in Page(html).elements) == 1


# --- names and paths ---


@pytest.mark.parametrize("part", ["a\x1b[31m", "a\nb", "a\x7f", "caf\udce9"], ids=ascii)
def test_an_image_whose_name_is_no_line_of_text_is_refused(part, tmp_path):
    try:
        srlab.write_image(noise(), tmp_path / f"{part}.png")
    except (OSError, UnicodeError):
        pytest.skip("this file system has no such names")
    with pytest.raises(SrlabError, match="rename") as caught:
        datasets.folder(tmp_path)
    assert str(caught.value).removeprefix(str(tmp_path)).isprintable()
    from srlab.inference.photo import upscale_folder

    with pytest.raises(SrlabError, match="rename"):
        upscale_folder(tmp_path, tmp_path / "sr", lambda lr: lr, 1, progress=False)


@names
def test_a_run_cannot_be_called_like_that(name):
    with pytest.raises(SrlabError, match="no good name for a run"):
        weights.load_generator("01_srresnet", name)


@pytest.mark.parametrize("name", ["x=1; import os #", "x\nimport os\ny", "a.b", "a b", "", "import"])
def test_a_parameter_is_a_name_and_no_code(name, tmp_path):
    """Papermill writes names into a cell as they stand; values it quotes."""
    with pytest.raises(SrlabError, match="parameter"):
        papermill.execute(tmp_path / "lab.ipynb", tmp_path / "out.ipynb", {name: 1})


def test_papermill_quotes_the_values_of_parameters():
    translators = pytest.importorskip("papermill.translators")
    values = {f"p{number}": value for number, value in enumerate([*HOSTILE, '";import os#', "\\", '\\"', "'''", "{x}"])}
    tree = ast.parse(translators.PythonTranslator.codify(values))
    assert {node.targets[0].id: ast.literal_eval(node.value) for node in tree.body} == values


@pytest.mark.parametrize(
    "config", [{"blocks": 10**9}, {"blocks": 1, "features": 10**6}, {"blocks": 1, "growth": 10**6}]
)
def test_a_weights_file_cannot_ask_for_a_larger_network_than_it_holds(config, tmp_path, monkeypatch):
    real = models.RRDBNet

    def build(**config):
        assert config["blocks"] < 1000, "so many modules would be made"
        assert torch.get_default_device().type == "meta", "so much memory would be taken"
        return real(**config)

    files.write_safetensors(tmp_path / "g.safetensors", {"a": noise()}, {"network": "RRDBNet", "config": config})
    monkeypatch.setattr(models, "RRDBNet", build)
    with pytest.raises(SrlabError, match="do not fit"):
        weights.read_generator(tmp_path / "g.safetensors")


@pytest.mark.parametrize("kind", ["link", "old"])
def test_a_file_is_never_written_through_a_link_that_waits_for_it(kind, tmp_path, monkeypatch):
    """In a folder where others may write, the name of the part can be known before."""
    victim, waiting = tmp_path / "victim", tmp_path / ".a.json.7.part"
    victim.write_text("precious")
    waiting.symlink_to(victim) if kind == "link" else waiting.write_text("of a dead process")
    monkeypatch.setattr(files.os, "getpid", lambda: 7)
    files.write_atomic(tmp_path / "a.json", b"new")
    assert victim.read_text() == "precious"
    assert (tmp_path / "a.json").read_text() == "new"
    assert not (tmp_path / "a.json").is_symlink()


def test_an_enlargement_is_never_written_through_a_link_that_waits_for_it(tmp_path):
    from srlab.inference import photo, photo_files

    victim = tmp_path / "victim"
    victim.write_text("precious")
    target = tmp_path / "sr.png"
    for kind in ("pixels", "encoded"):
        (tmp_path / f".sr.png.{kind}.{photo_files.os.getpid()}.part").symlink_to(victim)
    photo.upscale_file(srlab.write_image(noise(), tmp_path / "lr.png"), target, lambda lr: lr, 1, progress=False)
    assert victim.read_text() == "precious"
    assert not target.is_symlink()


# --- files that say they are images ---

DISGUISED = {
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nnewpath\nshowpage\n%%EOF\n",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>',
    "ppm": b"P3\n2 2\n255\n" + b"255 0 0 " * 4,
    "csv": b"1 2 3\n4 5 6\n",
    "pdf": b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\n",
}


@pytest.mark.parametrize("suffix", [".png", ".bmp"])
@pytest.mark.parametrize("content", DISGUISED.values(), ids=DISGUISED)
def test_a_file_of_another_kind_is_refused_before_a_program_for_it_runs(content, suffix, tmp_path, monkeypatch):
    from PIL import EpsImagePlugin

    from srlab.inference.photo_files import open_image

    def ghostscript(*_, **__):
        raise AssertionError("Ghostscript would run what the file says")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", ghostscript)
    (tmp_path / f"a{suffix}").write_bytes(content)
    for read in (srlab.read_image, open_image):
        with pytest.raises(SrlabError, match="is not an image that can be read"):
            read(tmp_path / f"a{suffix}")


# --- the notebook server ---


def test_jupyterlab_is_started_with_its_token():
    recipe = re.search(r"^lab:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)[1]
    assert "jupyterlab" in recipe
    assert not re.search(r"token|password|xsrf|0\.0\.0\.0|--ip|allow_origin", recipe)
    starters = [ROOT / "Makefile", ROOT / ".ci" / "run", *(ROOT / "tests").rglob("*.py"), ROOT / "README.md"]
    for file in starters:
        if file != Path(__file__).resolve():
            without = re.search(r"\.token=(?!\{)|NotebookApp|disable_check_xsrf=True", file.read_text(encoding="utf-8"))
            assert not without, f"{file.relative_to(ROOT)} starts a server that whoever can reach it may command"


def test_the_audit_fails_where_a_package_could_not_be_looked_up():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = re.search(r"^audit:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert recipe, "there is no target audit"
    assert "requirements.lock" in recipe[1]
    assert "--strict" in recipe[1], "without it, packages that are not found count as fine"
