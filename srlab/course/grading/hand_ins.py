"""What lies in a folder of hand-ins: each file, whose it is, and what it says, or why it can't be counted."""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from srlab.base.errors import SrlabError
from srlab.course.grading.results import lab_of, progress
from srlab.course.notebooks import read_notebook
from srlab.course.quiz import count_right
from srlab.course.saved import Result

# What Moodle and Canvas write behind a name: "Anna Li_1234_assignsubmission_file_", "lianna_LATE_1234_5678_".
BEHIND_NAME = re.compile(r"_(?:LATE_)?\d{3,}(?:_|$)|_assignsubmission_")
BEFORE_LAB = re.compile(r"[-_ ]+(?=\d\d_[a-z])")  # in "anna_li_03_srgan"


@dataclass
class HandIn:
    """One file of the folder.

    Attributes
    ----------
    path
        Below the folder.
    student
        Whose it is; empty for files that the system made.
    results
        As `srlab.course.grading.results.progress` says; empty where it isn't counted.
    notes
        Sentences for the teacher; where it isn't counted, the first says why.
    quiz
        How many of the lab's five questions are answered rightly; None without a quiz.
    """

    path: Path
    student: str
    results: dict[str, Result] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    quiz: int | None = None

    @property
    def labs(self) -> list[str]:
        """The labs that count: one, unless somebody has put two into one notebook."""
        return list(dict.fromkeys(map(lab_of, self.results)))


def gather(folder: Path, names: dict[str, list[str]]) -> list[HandIn]:
    """Read all files below a folder, and account for each of them.

    Parameters
    ----------
    folder
        With a folder or files for each student.
    names
        Of the class, as from `read_class`; may be empty.

    Raises
    ------
    SrlabError
        There is no such folder, or nothing in it.
    """
    if not folder.is_dir():
        raise SrlabError(f"There is no folder {folder}; give the one with what was handed in.")
    files = sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    if not files:
        raise SrlabError(f"There is nothing in {folder}; check the path.")
    found = [_read(folder, path.relative_to(folder), names) for path in files]
    count = Counter((one.student, lab) for one in found for lab in one.labs)
    for one in found:
        if twice := [lab for lab in one.labs if count[one.student, lab] > 1]:
            one.results = {}
            one.notes.insert(0, f"is one of several files of {one.student} for {', '.join(twice)}; leave one there.")
    return found


def read_class(file: Path) -> dict[str, list[str]]:
    """Read the names of a class: one a line, and behind a semicolon or a tab what else their files are called by.

    Raises
    ------
    SrlabError
        There is no such file, it isn't text, it is empty, or two students could be meant by a name.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SrlabError(f"Cannot read {file}; give a text file in UTF-8 with one name a line.") from error
    rows = [[part.strip(' "') for part in re.split("[;\t]", line) if _words(part)] for line in lines]
    names = {row[0]: row for row in rows if row and row[0].casefold() != "name"}
    if not names:
        raise SrlabError(f"{file} has no names; write one a line.")
    count = Counter(words for row in rows for words in {tuple(sorted(_words(part))) for part in row})
    if twice := [words for words, times in count.items() if times > 1]:
        raise SrlabError(f"{file} has {' '.join(twice[0])} twice; give each student names that no other has.")
    return names


def student_of(path: Path, names: dict[str, list[str]]) -> str:
    """Whose file it is, by the first folder of its path, or by its own name where it lies in none.

    What stands before the marks of Moodle and Canvas, or before the lab: the name of somebody of the class, in whatever
    order, or else a stranger's. Where there are no such marks, hers if it begins with her name.
    """
    called = path.parts[0] if len(path.parts) > 1 or not path.suffix else path.stem
    called = re.sub("#U([0-9a-f]{4})", lambda code: chr(int(code[1], 16)), called)  # as unzip writes an umlaut
    marked = BEFORE_LAB.split(BEHIND_NAME.split(called)[0])[0]
    words = _words(marked)
    fitting = [
        (len(parts), name)
        for name, aliases in names.items()
        for parts in map(_words, aliases)
        if sorted(words[: len(parts)]) == sorted(parts) and (marked == called or len(words) == len(parts))
    ]
    return max(fitting)[1] if fitting else unicodedata.normalize("NFC", marked).strip()


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", unicodedata.normalize("NFC", text).casefold())


def _read(folder: Path, path: Path, names: dict[str, list[str]]) -> HandIn:
    if any(part.startswith(".") or part == "__MACOSX" for part in path.parts):
        return HandIn(path, "", notes=["was made by a program, not by a student."])
    one = HandIn(path, student_of(path, names))
    if (folder / path).is_symlink():
        one.notes = ["is a link, which isn't followed."]
    elif path.suffix.lower() != ".ipynb":
        one.notes = [f"is no notebook; {'unpack it' if path.suffix == '.zip' else 'ask for the .ipynb'}."]
    else:
        try:
            notebook = read_notebook(folder / path)
        except SrlabError:
            one.notes = ["is no notebook of Jupyter that can be read."]
            return one
        one.results, one.notes = progress(notebook)
        one.quiz = count_right(notebook)
        if not one.results:
            one.notes = ["has no exercises of this course, or those of another edition."]
    return one
