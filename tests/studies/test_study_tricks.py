"""Test the rows of the study of ESRDGAN's tricks: each only changes its own parameters of lab 04."""

import functools
import json

import pytest

from srlab.paths import recipes
from srlab.training.runs import Run
from srlab_course.lab.recipes import read_book
from srlab_course.lab.settings import STAGES
from studies import presets
from studies.esrdgan_tricks.configurations import (
    COMMON,
    HERE,
    LAB,
    Row,
    changes,
    degradation,
    degradations,
    parameters,
    read_preset,
    rows,
)
from studies.esrdgan_tricks.jobs import jobs

NOTEBOOK = HERE.parents[1] / "notebooks" / f"{LAB}.ipynb"
PRESETS = {"smoke": {}, "laptop": {}, "paper": {"images": "DIV2K"}}
OWN_LR = {"nearest LR": {"method": "nearest"}, "aliased cubic LR": {"method": "bicubic-aliased"}}
OWN_LR |= {"LR noise": {"noise": [0.01, 0.01]}}


@functools.cache
def declared():
    """Return name and default of each parameter of the lab."""
    return presets.defaults_of(NOTEBOOK, COMMON["recipe"])


@pytest.mark.parametrize("name", PRESETS)
def test_row_changes_only_its_trick(name):
    preset = read_preset(name, **PRESETS[name])
    derived = {name for name in (*STAGES, *STAGES.values()) if declared().get(name)}  # no milestones stay none
    seen = {}
    for row in rows(preset):
        Run(LAB, row.name)
        base, given = parameters(Row("base", row.seed), preset), parameters(row, preset)
        read_book(recipes() / f"{LAB}.py").lab.check(given)
        whole = declared() | base  # a parameter that the base does not set has the lab's default
        changed = {name for name in given if given[name] != whole.get(name)}
        assert changed - {"run"} == set(changes(row.trick, preset)), row
        assert set(given) - set(base) <= set(changes(row.trick, preset))
        assert {*derived, "ema", "validate_every"} <= set(given), "otherwise the lab would derive them"
        seen.setdefault(json.dumps({**given, "run": ""}, sort_keys=True), row.name)
    assert list(seen.values()) == [row.name for row in rows(preset)], "no two rows may be the same"


def test_row_is_scored_on_its_training_lr():
    preset = read_preset("laptop")
    found = {row.trick: degradation(parameters(row, preset)) for row in rows(preset)}
    assert {trick: made for trick, made in found.items() if made} == OWN_LR
    assert set(map(str, degradations(preset))) == {"{}", *map(str, OWN_LR.values())}
    found = jobs(preset)
    assert all(job.before in ["", *list(found)[:place]] for place, job in enumerate(found.values()))
    kinds = {name: len(found[f"{name}-seed0"].facts["degradations"]) for name in ("base", "nearest-lr", "vanilla")}
    assert kinds == {"base": 4, "nearest-lr": 2, "vanilla": 1}
    assert found["psnr-stage-seed0"].facts["run"] == f"{LAB}/base-seed0-psnr"
