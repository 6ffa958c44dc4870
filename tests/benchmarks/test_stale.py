"""Test the list of what was made with a lab's recipes."""

import pytest

from benchmarks.stale import names, sentences, stale
from srlab_course.labs import LABS
from srlab_course.notebook_files.finding import find_lab
from tests.conftest import EXTRAS, ROOT


@pytest.fixture(autouse=True)
def _in_course(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("lab", [*(lab.name for lab in LABS), *(lab.stem for lab in EXTRAS)])
def test_what_was_made_with_each_lab_is_found(lab):
    found = stale(lab)
    assert found["files of claims and tables"]
    for made in found["pictures and weights"]:
        assert (ROOT / made.partition(":")[0]).is_file()


def test_kinds_of_what_is_stale():
    found = stale(find_lab("03").stem)
    claims, *tables = found["files of claims and tables"]
    assert claims.startswith("notebooks/claims/03_srgan.py: ")
    assert any(table.startswith("notebooks/claims/seeds.md:") for table in tables)
    wanted = {"notebooks/pictures/03_srgan.jpg", "docs/images/sharper.png", "srlab/models/bundled/srgan.safetensors"}
    assert wanted <= {made.partition(":")[0] for made in found["pictures and weights"]}
    assert (
        "srlab_course/material/pictures/average_800.jpg: python docs/material.py average_800"
        in found["pictures and weights"]
    )
    lines = found["lines of code that name such a picture"]
    assert {line.partition(":")[0] for line in lines} >= {
        "notebooks/06_flow.ipynb",
        "tests/course/material/test_precomputed.py",
    }
    assert "04_esrgan" in found["labs that take its runs"]
    assert any(line.startswith("docs/gpu.md: ") for line in found["pages with a number on a line that names it"])


def test_sentences_with_a_result_are_found_those_that_held_for_all_seeds_first():
    found = stale(find_lab("03").stem)["sentences with a † or a number"]
    held = ["†" in sentence for sentence in found]
    assert held == sorted(held, reverse=True)
    assert any(sentence.startswith("03_srgan") and "two decibels" in sentence for sentence in found[: sum(held)])
    assert any(sentence.startswith("04_esrgan") and "lab 03" in sentence for sentence in found[: sum(held)])
    assert any("dB" in sentence for sentence in found[sum(held) :])
    assert any(sentence.startswith("03_srgan") and "800 steps" in sentence for sentence in found)
    assert list(sentences("By half.† A net; 5% more.\nNo number.")) == ["By half.†", "A net; 5% more."]


@pytest.mark.parametrize(
    ("text", "labs"),
    [
        ("Labs 02 to 04 compare images", "02 03 04"),
        ("of labs 00, 03 and 05 to 07.", "00 03 05 06 07"),
        ("lab 03's network, 04 times", "03"),
        ("collab 03", ""),
        ("03_srgan.ipynb", "03"),
    ],
)
def test_labs_that_a_text_names(text, labs):
    assert [lab.name[:2] for lab in LABS if names(text, lab.name)] == labs.split()


def test_numbers_of_a_quiz_are_found():
    found = stale(find_lab("05").stem)["sentences with a † or a number"]
    assert any(sentence.startswith("quiz, question ") and "22 to 34 dB" in sentence for sentence in found)
