"""``srlab figures``: the figures of an executed lab as numbered files for the projector, with a page of captions."""

import argparse
import base64
import io
import re
from collections.abc import Iterator
from html import escape, unescape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from srlab.base.errors import SrlabError

if TYPE_CHECKING:
    from nbformat import NotebookNode

Picture = tuple[str, bytes, str]  # its alternative text, the bytes of its file, and how the name of that ends
PAGE = (
    '<!doctype html>\n<html lang="en"><meta charset="utf-8">\n<title>{title}</title>\n'
    "<style>body {{ font: 1.2em sans-serif; margin: 2em }} figure {{ margin: 0 0 3em }} "
    "img {{ max-width: 100% }}</style>\n"
    "<h1>{title}</h1>\n{figures}\n</html>\n"
)
LONGEST = 50  # letters of a caption in a name


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser of ``srlab``; imports nothing heavy."""
    parser = commands.add_parser("figures", help="write the figures of an executed lab as files, with their captions")
    parser.add_argument("lab", metavar="LAB", help="name or beginning of a name, such as 03")
    parser.add_argument("-o", "--out", metavar="FOLDER", help="new folder (default: <lab>_figures, here)")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Write the folder, and say what is in it; returns the exit code."""
    from srlab.base.files import publish, refuse_existing, writing
    from srlab.base.places import home
    from srlab.lab.notebooks import find_lab, read_notebook, seen_from_here, title_of

    lab = find_lab(options.lab)
    executed, out = home() / "notebooks" / lab.name, Path(options.out or f"{lab.stem}_figures")
    if not executed.is_file():
        short = options.lab.removesuffix(".ipynb")
        raise SrlabError(f"{lab.stem} has not been executed here: {executed} is missing; run srlab labs {short} first.")
    refuse_existing(out)
    notebook, shown, count = read_notebook(executed), [], 0
    with writing(out), TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as unfinished:
        part = Path(unfinished) / out.name
        part.mkdir()
        for count, (caption, pictures) in enumerate(find_figures(notebook, lab.parent), start=1):
            for index, (alt, content, kind) in enumerate(pictures, start=1):
                number = f"{count:02d}-{index:02d}" if len(pictures) > 1 else f"{count:02d}"
                name = f"{number}_{in_a_name(alt)}.{kind}"
                (part / name).write_bytes(content)
                shown.append(f'<figure><img src="{name}" alt="{escape(alt)}"><figcaption>{name}</figcaption></figure>')
            shown[-1] = shown[-1].replace("</figcaption>", f"<br>Figure {count}. {escape(caption)}</figcaption>")
        title = escape(title_of(notebook))
        page = PAGE.format(title=title, figures="\n".join(shown))
        (part / "index.html").write_text(page, encoding="utf-8")
        publish(part, out)
    print(f"{seen_from_here(out)}: {count} figures of {lab.stem}; open index.html in it for their captions")
    return 0


def find_figures(notebook: "NotebookNode", folder: Path) -> Iterator[tuple[str, list[Picture]]]:
    """Each figure of an executed lab in order: its caption, and its pictures, of which a slider has several.

    Parameters
    ----------
    notebook
        An executed copy.
    folder
        Where the pictures lie that the text shows.
    """
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for alt, name in re.findall(r"!\[([^\]]+)\]\((?!\w+:)([^)]+)\)", cell.source):
                if (folder / name).is_file():
                    yield alt, [(alt, (folder / name).read_bytes(), Path(name).suffix.removeprefix("."))]
        for output in cell.get("outputs", []):
            data, about = output.get("data", {}), output.get("metadata", {})
            if "image/png" in data:
                alt = (about | about.get("image/png", {})).get("alt", "A figure without a text.")
                yield alt, [(alt, base64.b64decode(data["image/png"]), "png")]
            elif "text/html" in data:
                page = data["text/html"]
                pictures = list(_pictures(page))
                below = re.search(r'font-style: italic[^"]*">([^<]+)<', page)  # of a slider
                if pictures:
                    yield unescape(below[1]) if below else data.get("text/plain", pictures[0][0]), pictures


def _pictures(page: str) -> Iterator[Picture]:
    """The pictures that a piece of HTML of ours has in itself."""
    for tag in re.findall(r"<img [^>]*>", page):
        alt, source = re.search('alt="([^"]+)"', tag), re.search(r'src="data:image/(\w+)[^;]*;base64,([^"]*)"', tag)
        if alt and source:
            yield unescape(alt[1]), *_for_slides(base64.b64decode(source[2]), source[1])


def _for_slides(content: bytes, kind: str) -> tuple[bytes, str]:
    """A file as programs for slides take it: WebP becomes PNG."""
    if kind != "webp":
        return content, kind
    from PIL import Image

    png = io.BytesIO()
    Image.open(io.BytesIO(content)).save(png, "png")
    return png.getvalue(), "png"


def in_a_name(caption: str) -> str:
    """The beginning of a caption as a part of a file's name: ``"the_stones_by_srgan"``."""
    words = re.sub(r"[^a-z0-9]+", "_", caption.lower()).strip("_")
    return words[:LONGEST].rpartition("_")[0] if len(words) > LONGEST else words or "figure"
