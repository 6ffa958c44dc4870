"""The house style of README, docs, docstrings, comments and messages: plain American English.

A pattern matches a word or phrase that reads as translated, or for which the field has another word. `ALLOWED` lists
phrases in which such a word is right, and why.
"""

import ast
import io
import re
import shutil
import subprocess
import tokenize

import pytest

from tests.conftest import ROOT

PATTERNS = {
    "write 'is not a'": r"\b(?<!there )(is|are|was|were) no (?!longer|more\b|need|way|such|different|better)[a-z]+",
    "write 'we' or 'anyone who'": r"\b(nobody|whoever|somebody)\b",
    "write 'again', 'so', 'fix', 'except'": r"\b(anew|amiss|mends?|mended|hence|in vain|all the same|but for)\b",
    "write 'is' or 'is in'": r"\b(stands?|stood|lies in|lie in|lay in)\b",
    "files print, functions return": r"\b(says|said)\b",
    "write 'requires'": r"\b(asks?|asked) (for|of)\b",
    "write 'next to' or 'compared with'": r"\bbeside\b",
    "write 'contains' or 'is true'": r"\b(holds|held)\b(?! out|-out)",
    "write 'training run'": r"\btrainings\b|\b(a|each|every) training\b(?! \w)",
    "write 'upscale' or 'downscale'": r"\b(enlarg\w+|shrink\w*|shrunk)\b",
    "write 'invented'": r"\b(made up|makes? up)\b",
    "write 'degraded'": r"\bspoil\w*\b",
    "write 'you'": r"\bone (sees|may|can|must|thinks|gets|finds|reads|wants|needs|takes|knows)\b",
    "write 'parentheses'": r"\bbrackets\b",
    "write 'continues' or 'resumes'": r"\b(goes|go|went) on\b",
    "write 'its' or 'your'": r"\bof (its|your|their|our) own\b",
    "write 'bundled'": r"\bcomes? along\b",
    "write 'diverges'": r"\bruin\w*\b",
    "American spelling": r"\b(\w*colour\w*|grey\w*|\w*normalis\w+|optimis\w+|behaviour\w*|centre\w*|licence\w*)\b",
}
OPENINGS = r"^(What|Whether|How|Which)\b|^\s+(Of|As for|At which|By which) "
LONGEST = 30  # words of a sentence
ALLOWED = {  # phrase -> why it is right
    "in MSE stand": "a letter stands for a word",
    "says one half": "so do G and D",
    "Space , held": "a key is held",
    "holds the lock": "the term for a lock",
    "the steps between": "a number shrinks, not an image",
    "shrink Function": "the name of a parameter",
    "with shrink,": "the name of a parameter",
    "enlarge Upscale": "the name of a parameter",
    "makes up for": "compensates",
    "targets of its own shape": "each kind of logits has a shape",
    "your own photo": "not one of ours",
    "ruins holidays": "an answer in the student's words",
}


def prose(text: str) -> str:
    """Leave out code, math, links and HTML."""
    text = re.sub(r"```.*?```|\$\$.*?\$\$|\$[^$\n]*\$", " ", text, flags=re.DOTALL)
    return re.sub(r"``[^`]*``|`[^`\n]*`|<[^>]+>|\]\([^)]*\)|https?://\S+", " ", text)


def pages() -> dict[str, str]:
    files = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "srlab" / "README.md"]
    files += [file for file in (ROOT / "docs").glob("*.md") if not file.name.startswith("LICENSE")]
    return {str(file.relative_to(ROOT)): prose(file.read_text(encoding="utf-8")) for file in files}


def code() -> tuple[dict[str, list[str]], dict[str, str]]:
    """Return the docstrings of each module, and all text in it that a person reads."""
    docstrings, texts = {}, {}
    for file in sorted((ROOT / "srlab").rglob("*.py")):
        source, name = file.read_text(encoding="utf-8"), str(file.relative_to(ROOT))
        nodes = list(ast.walk(ast.parse(source)))
        kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
        docstrings[name] = [found for node in nodes if isinstance(node, kinds) and (found := ast.get_docstring(node))]
        strings = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        tokens = tokenize.generate_tokens(io.StringIO(source).readline)
        comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
        texts[name] = prose("\n".join([*(text for text in strings if text.count(" ") > 3), *comments]))
    return docstrings, texts


PAGES = pages()
DOCSTRINGS, TEXTS = code()


@pytest.mark.parametrize("advice", PATTERNS)
def test_words(advice):
    found = []
    for place, text in (PAGES | TEXTS).items():
        for match in re.finditer(PATTERNS[advice], text, re.IGNORECASE):
            around = " ".join(text[max(0, match.start() - 40) : match.end() + 40].split())
            if not any(allowed in around for allowed in ALLOWED):
                found.append(f"{place}: ... {around} ...")
    assert found == []


def test_docstring_openings():
    found = [
        f"{name}: {line.strip()}"
        for name, docstrings in DOCSTRINGS.items()
        for docstring in docstrings
        for line in docstring.splitlines()
        if re.match(OPENINGS, line)
    ]
    assert found == []


def test_sentences_are_short():
    found = {
        place: [
            " ".join(words)
            for part in re.split(r"(?<=[.!?:])\s+|\n\s*\n|\n\s*[-*|\d]|\|", text)
            if len(words := part.split()) > LONGEST
        ]
        for place, text in PAGES.items()
    }
    assert {place: sentences for place, sentences in found.items() if sentences} == {}


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_commit_subjects():
    command = ["git", "log", "--format=%s", "-n", "30"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode:
        pytest.skip("needs the history of the repository")
    assert [subject for subject in run.stdout.splitlines() if len(subject) > 72] == []
