"""Test the checks with the designs of designs_*.md: right ones keep each promise, and each mistake breaks one.

Broken designs of the functions that a student tests first are in the package, and test_own_tests.py tries them.

The text of a mistake has a part of the broken promise and, after a slash, a part of its hint.
"""

import re

import pytest
import torch

from srlab_course.feedback.exercise_text import read_entries, read_sections, read_sources
from srlab_course.workshops.own_tests import FUNCTIONS, read_designs
from srlab_course.workshops.parts import PARTS, _lines
from tests.workshops.files import FILES, joined

EVERY, TRAINED = "every part", "every part, and training"  # designs of workshop 3 that all of its checks must accept
TESTED = dict(zip(("validation", "gan step", "walk"), FUNCTIONS, strict=True))  # have right designs in the package
QUICK = [  # to train
    ("num_blocks=5, features=32", "num_blocks=1, features=8"),
    ("features=32):\n        super().__init__()\n\n", "features=4):\n        super().__init__()\n\n"),
    ("optimizer, *sample_pairs(photos, 8, 24, random))", "optimizer, *sample_pairs(photos, 2, 8, random))"),
    ("pairs = sample_pairs(photos, 8, 8, random)", "pairs = sample_pairs(photos, 2, 8, random)"),
    ("num_blocks=6, features=64", "num_blocks=1, features=16"),
    ("        x = F.pixel_un", "        image = x\n        x = F.pixel_un"),  # designs use it
]
NIGHTLY = {"torchvision writes", "srlab", "spandrel", "result in the current folder", "weights in the current folder"}


def reference(workshop):
    """Return mine.py as it is after a workshop, but quick to train; workshop 1 trains with whole patches."""
    text = joined(workshop)
    for old, new in QUICK if workshop > 1 else QUICK[:1]:
        text = text.replace(old, new)
    return text


def read(workshop):
    """Yield the part, name, source, and for a mistake the promise and hint of each design of a workshop."""
    file, text = FILES / f"designs_{workshop}.md", reference(workshop)
    names = [name for name, part in PARTS.items() if part.workshop == workshop]
    known = [f"{part}: {kind}" for part in (*names, EVERY, TRAINED) for kind in ("right", "wrong")]
    for part in TESTED.keys() & names:
        for design in read_designs(TESTED[part])[0][1:]:  # the first is the reference
            yield pytest.param(part, f"{text}\n\n{design.source}", id=f"{part}-{design.name}")
    _, _, designs = file.read_text(encoding="utf-8").partition("\n# ")
    for section, blocks in read_sections(f"# {designs}", file, known).items():
        part, kind = section.split(": ")
        if kind == "right":
            for number, source in enumerate(read_sources(blocks, text, file)):
                for one in {EVERY: names[:-1], TRAINED: names}.get(part, [part]):
                    yield pytest.param(one, source, id=f"{one}-{number}")
        else:
            for name, words, block in read_entries(blocks, file):
                promise, _, hint = words.partition(" / ")
                for source in read_sources(block, text, file):
                    nightly = pytest.mark.nightly if name in NIGHTLY else ()
                    yield pytest.param(part, source, promise, hint, id=f"{part}-{name}", marks=nightly)


DESIGNS = [design for workshop in (1, 2, 3) for design in read(workshop)]
RIGHT, WRONG = ([design for design in DESIGNS if len(design.values) == count] for count in (2, 4))


@pytest.fixture
def lines(tmp_path):
    """Return a function that checks a part of a student's file, and returns the (word, text, hint) of each line."""

    def lines(part, source):
        (tmp_path / "mine.py").write_text(source, encoding="utf-8")
        torch.manual_seed(3)
        return [*_lines(tmp_path / "mine.py", PARTS[part])]

    return lines


@pytest.mark.parametrize("part", PARTS)
def test_reference_keeps_all_promises(part, lines):
    found = lines(part, reference(PARTS[part].workshop))
    assert {word for word, *_ in found} == {"kept"}, found


@pytest.mark.parametrize(("part", "source"), RIGHT)
def test_right_design_keeps_all_promises(part, source, lines):
    found = lines(part, source)
    assert {word for word, *_ in found} == {"kept"}, found


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
@pytest.mark.parametrize(("part", "source", "promise", "hint"), WRONG)
def test_mistake_breaks_its_promise(part, source, promise, hint, lines):
    found = lines(part, source)
    broken = [(text, hint) for word, text, hint in found if word == "broken"]
    matching = [line for line in broken if re.sub(r"\s+", " ", promise) in line[0]]
    assert len(matching) == 1, found
    assert hint in matching[0][1], found


@pytest.mark.parametrize("part", PARTS)
def test_empty_file_has_all_to_do(part, lines):
    [(word, text, _)] = lines(part, "import torch\n")
    assert word == "to do"
    assert "mine.py doesn't define" in text


@pytest.mark.parametrize("part", PARTS)
def test_functions_without_a_body_break_a_promise(part, lines):
    names = {name for one in PARTS.values() for name in one.names}
    found = lines(part, "\n".join(f"def {name}(*_, **__): ..." for name in names))
    assert "broken" in {word for word, *_ in found}


def test_name_that_is_nearly_right(lines):
    source = "def sample_pair(folder): ...\ndef d_loss(): ..."
    assert lines("pairs", source)[0][1] == "mine.py doesn't define `sample_pairs` yet, but `sample_pair`."
    assert "but" not in lines("adversary", source)[0][1], "d_loss is a part of its own"
