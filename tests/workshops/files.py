"""The reference files of the workshops, and the designs that change them."""

import re
from pathlib import Path
from typing import NamedTuple

from srlab_course.feedback.exercise_text import read_sections, read_sources
from srlab_course.workshops.our_tests import PARTS
from srlab_course.workshops.own_tests import FOLDER, FUNCTIONS, read_designs

FILES = Path(__file__).parent
TESTS = [*PARTS][:3]
EVERY, TRAINED = "every part", "every part, and training"  # right designs of workshop 3 that pass all of its tests
QUICK = [  # to train
    ("num_blocks=5, features=32", "num_blocks=1, features=8"),
    ("features=32):\n        super().__init__()\n\n", "features=4):\n        super().__init__()\n\n"),
    ("optimizer, *sample_pairs(photos, 8, 24, random))", "optimizer, *sample_pairs(photos, 2, 8, random))"),
    ("pairs = sample_pairs(photos, 8, 8, random)", "pairs = sample_pairs(photos, 2, 8, random)"),
    ("num_blocks=6, features=64", "num_blocks=1, features=16"),
    ("        x = F.pixel_un", "        image = x\n        x = F.pixel_un"),  # designs use it
]


class Design(NamedTuple):
    """A file of a student: the part whose tests it passes if it is right, and fails otherwise."""

    part: str
    name: str
    source: str
    right: bool


def joined(workshops: int) -> str:
    """Return the text of ``mine.py`` as it is after some workshops, with the functions that our designs change."""
    own = (FILES / name for name in ("mine.py", "mine_2.py", "mine_3.py"))
    tested = (FOLDER / f"{function}_reference.py" for function in FUNCTIONS)
    pairs = [*zip(own, tested, strict=True)][:workshops]
    return "\n\n".join(file.read_text(encoding="utf-8") for pair in pairs for file in pair)


def reference(workshop: int) -> str:
    """Return mine.py as it is after a workshop, but quick to train; workshop 1 trains with whole patches."""
    text = joined(workshop)
    for old, new in QUICK if workshop > 1 else QUICK[:1]:
        text = text.replace(old, new)
    return text


def designs_of(workshop: int) -> list[Design]:
    """Return all designs of a workshop: the reference, those of designs_*.md, and those of the package."""
    text, parts = reference(workshop), PARTS[TESTS[workshop - 1]]
    found = [Design(part, "reference", text, True) for part in parts]
    function = FUNCTIONS[workshop - 1]
    for right, designs in zip((True, False), read_designs(function), strict=True):
        found += [Design(function, design.name, f"{text}\n\n{design.source}", right) for design in designs]
    file = FILES / f"designs_{workshop}.md"
    known = [f"{part}: {kind}" for part in (*parts, EVERY, TRAINED) for kind in ("right", "wrong")]
    for section, blocks in read_sections(of_file(file), file, known).items():
        part, kind = section.split(": ")
        for name, block in named(blocks) if kind == "wrong" else [("right", blocks)]:
            for number, source in enumerate(read_sources(block, text, file)):
                of = {EVERY: parts[:-1], TRAINED: parts}.get(part, [part])
                found += [Design(one, f"{name} {number}", source, kind == "right") for one in of]
    return found


def of_file(file: Path) -> str:
    """Return the text of a file from its first section on."""
    _, heading, designs = file.read_text(encoding="utf-8").partition("\n# ")
    return heading + designs


def named(blocks: str) -> list[tuple[str, str]]:
    """Return the name of each mistake, and its indented blocks."""
    parts = re.split(r"^## (.+)$", blocks, flags=re.MULTILINE)[1:]
    return [*zip(parts[::2], parts[1::2], strict=True)]
