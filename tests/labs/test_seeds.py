"""Test the committed table of claims over seeds: all claims with their bounds, and no margin too small."""

import ast
import re
from collections import Counter

import pytest

from benchmarks.claims import ENOUGH, MARGIN
from tests.conftest import EXTRAS, LABS, ROOT

TABLE = (ROOT / "notebooks" / "claims" / "seeds.md").read_text(encoding="utf-8")
HELD = "†"  # after a result that held for all seeds, in a lab with a note on the mark
NOTE = f"{HELD} marks a result"
SECTIONS = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", TABLE, re.MULTILINE | re.DOTALL))


def rows_of(lab):
    """Return claim -> other cells of its row."""
    rows = [line.strip("| ").split(" | ") for line in SECTIONS[lab.stem].splitlines() if line.startswith("| ")]
    return {claim: cells for claim, *cells in rows[1:] if not claim.startswith("---")}


def claims_of(lab):
    """Return the claims about numbers in a lab's file: a pattern of the claim, and the literal bounds."""
    tree = ast.parse((ROOT / "notebooks" / "claims" / f"{lab.stem}.py").read_text(encoding="utf-8"))
    for call in ast.walk(tree):
        bounds = {word.arg: word.value for word in getattr(call, "keywords", []) if word.arg in ("above", "below")}
        if getattr(getattr(call, "func", None), "attr", "") == "expect" and bounds:
            parts = call.args[0].values if isinstance(call.args[0], ast.JoinedStr) else [call.args[0]]
            pattern = "".join(re.escape(part.value) if isinstance(part, ast.Constant) else ".+" for part in parts)
            yield pattern, {word: _literal(bound) for word, bound in bounds.items()}


def _literal(node):
    try:
        return ast.literal_eval(node)
    except ValueError:  # computed, such as -lab.max_psnr_drop
        return None


@pytest.mark.parametrize("lab", [*LABS, *EXTRAS], ids=lambda lab: lab.stem)
def test_each_claim_is_in_table(lab):
    rows = rows_of(lab)
    assert rows
    for pattern, bounds in claims_of(lab):
        found = [cells[4] for claim, cells in rows.items() if re.fullmatch(pattern, claim)]
        assert found, f"no row for {pattern}. Run make seeds again."
        for word, sign in (("above", ">"), ("below", "<")):
            if bounds.get(word) is not None:
                assert f"{sign} {bounds[word]:.4g}" in found[0], f"{pattern}: the bound differs. Run make seeds again."


@pytest.mark.parametrize("lab", [*LABS, *EXTRAS], ids=lambda lab: lab.stem)
def test_claim_margins(lab):
    assert int(re.search(r"(\d+) seeds", SECTIONS[lab.stem])[1]) >= ENOUGH
    usual = Counter()
    for claim, (*_, distance, count) in rows_of(lab).items():
        held, seeds = map(int, count.split(" of "))
        assert seeds >= ENOUGH, claim
        if distance == "usually":
            usual[f"{held} of {seeds} seeds"] += 1
        else:
            assert held == seeds, claim
            assert distance == "over 100" or float(distance) >= MARGIN, claim
    text = lab.read_text(encoding="utf-8").replace("all twelve seeds that we tried", "12 of 12 seeds")
    if NOTE in text:  # the table has the counts
        usual = Counter(HELD if words.split()[0] == words.split()[2] else "usually" for words in usual.elements())
    assert [words for words, times in usual.items() if text.lower().count(words) < times] == [], "not stated"
