"""Pack a release into ``dist/``: ``make release``, or ``python docs/book/release.py [TAG]`` after ``make book``.

``srlab-VERSION.zip`` contains the executed labs and the site, and ``notes.md`` is the version's section of the
changelog.
"""

import re
import sys
import tomllib
import zipfile
from pathlib import Path

from srlab.paths import runs_home

ROOT = Path(__file__).resolve().parents[2]
README = """srlab {version}: the executed labs and the site

site/index.html   the start page, which opens in any browser, also offline
labs/             the same labs as notebooks with their outputs, to open in Jupyter

The page that upscales photos, site/try/, needs a web server. Run this in the folder site:

    python3 -m http.server
"""


def main() -> int:
    """Run the command and return its exit code."""
    tag = sys.argv[1] if len(sys.argv) > 1 else ""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    try:
        notes = read_notes((ROOT / "docs" / "CHANGELOG.md").read_text(encoding="utf-8"), version, tag)
        packed = pack(ROOT / "dist", version, runs_home() / "notebooks", ROOT / "build" / "book" / "html")
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    (ROOT / "dist" / "notes.md").write_text(notes, encoding="utf-8")
    print(f"{packed.relative_to(ROOT)} has {packed.stat().st_size / 1e6:.0f} MB; dist/notes.md has its notes.")
    return 0


def read_notes(changelog: str, version: str, tag: str = "") -> str:
    """Return the section of a version in the changelog.

    Parameters
    ----------
    changelog
        Text of the changelog, with headings such as ``## 0.1.0 (2026-12-01)``.
    version
        Version of the package.
    tag
        Git tag of the release, or "" to look at what a release would contain.

    Raises
    ------
    ValueError
        The changelog doesn't have the version, or the tag is for another version or for an unreleased one.
    """
    heading = re.search(rf"^## {re.escape(version)} \((.*)\)\n", changelog, re.M)
    if not heading:
        raise ValueError(f"docs/CHANGELOG.md has no section for version {version}. Begin it with: ## {version} (DATE)")
    if tag and tag != f"v{version}":
        raise ValueError(f"The tag is {tag}, but the version in pyproject.toml is {version}. Tag it as v{version}.")
    if tag and not re.fullmatch(r"\d{4}-\d\d-\d\d", heading[1]):
        raise ValueError(f"docs/CHANGELOG.md calls version {version} '{heading[1]}'. Replace that with a date.")
    return changelog[heading.end() :].partition("\n## ")[0].strip() + "\n"


def pack(target: Path, version: str, labs: Path, site: Path) -> Path:
    """Write a zip file of the executed labs and the site instead of an earlier one, and return its path.

    Raises
    ------
    ValueError
        The site is missing, or one of its labs; or the folder contains something else.
    """
    pages = [page for page in (site / "notebooks").rglob("*.html") if page.parent.name in ("notebooks", "extras")]
    missing = [page.stem for page in pages if not (labs / f"{page.stem}.ipynb").is_file()]
    if not pages or missing:
        raise ValueError(f"These labs were not executed: {', '.join(missing) or 'all of them'}. Run make book first.")
    target.mkdir(exist_ok=True)
    earlier = list(target.iterdir())
    if others := [file.name for file in earlier if not re.fullmatch(r"srlab-[\w.]+\.zip|notes\.md", file.name)]:
        raise ValueError(f"{target.name} also contains {', '.join(others)}. Move that elsewhere first.")
    for file in earlier:
        file.unlink()
    packed = target / f"srlab-{version}.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"srlab-{version}/README.txt", README.format(version=version))
        for page in sorted(pages):
            archive.write(labs / f"{page.stem}.ipynb", f"srlab-{version}/labs/{page.stem}.ipynb")
        for file in sorted(file for file in site.rglob("*") if file.is_file()):
            archive.write(file, f"srlab-{version}/site/{file.relative_to(site).as_posix()}")
    return packed


if __name__ == "__main__":
    sys.exit(main())
