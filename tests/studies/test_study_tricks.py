"""The rows of the study of ESRDGAN's tricks: each changes what it names in lab 04, and nothing else."""

import ast
import functools
import json

import pytest

import srlab
import srlab.cli.lab
import srlab.models.features
from srlab.base.errors import SrlabError
from srlab.cli.recipes import read_recipes
from srlab.training.runs import Run
from studies import presets
from studies import train as trainer
from studies.esrdgan_tricks import score, train
from studies.esrdgan_tricks.configurations import (
    DID_NOT,
    GAN_STAGE,
    HELPED,
    HERE,
    LAB,
    TOGETHER,
    TRICKS,
    Of,
    Row,
    changes,
    degradation,
    degradations,
    leader,
    parameters,
    read_preset,
    rows,
)
from studies.esrdgan_tricks.differences import read_lost, read_scores
from tests.conftest import leave_run

NOTEBOOK = HERE.parents[1] / "notebooks" / f"{LAB}.ipynb"
PRESETS = {"smoke": {}, "laptop": {}, "paper": {"images": "DIV2K"}}
pytestmark = pytest.mark.skipif(not NOTEBOOK.is_file(), reason=f"needs {NOTEBOOK.name}")


@functools.cache
def sources():
    """Code of the lab's cells, that of its parameters first."""
    cells = [cell for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    cells.sort(key=lambda cell: "parameters" not in cell["metadata"].get("tags", []))
    return ["".join(cell["source"]) for cell in cells]


def declared():
    """Name and default of each parameter of the lab."""
    return presets.defaults_of(NOTEBOOK)


@pytest.fixture(params=PRESETS)
def preset(request):
    return read_preset(request.param, **PRESETS[request.param])


def laptop():
    return read_preset("laptop")


def test_the_lab_declares_what_the_study_gives_with_the_same_types(preset):
    for row in rows(preset):
        given = parameters(row, preset)
        srlab.cli.lab.check_parameters(declared(), declared() | given, list(given))


def test_names_are_unique_and_good_for_runs(preset):
    found = rows(preset)
    assert len({row.name for row in found}) == len(found)
    for row in found:
        Run(LAB, row.name)
    assert Row("G every 2nd step", 1).name == "g-every-2nd-step-seed1"


def test_each_row_changes_what_it_names_and_nothing_else(preset):
    for row in rows(preset):
        base, given = parameters(Row("base", row.seed), preset), parameters(row, preset)
        whole = declared() | base  # a parameter that the base leaves alone has the default of the lab
        changed = {name for name in given if given[name] != whole.get(name)}
        assert changed - {"run"} == set(changes(row.trick, preset)), row
        assert set(given) - set(base) <= set(changes(row.trick, preset))


def test_no_two_rows_are_the_same(preset):
    found = [json.dumps(changes(row.trick, preset), sort_keys=True) for row in rows(preset) if row.seed == 0]
    assert len(set(found)) == len(found)


def test_all_that_helped_is_the_tricks_that_helped_at_the_length_of_the_base(preset):
    found = changes(TOGETHER, preset)
    assert set(found) == {"noise", "noise_until", "label_real", "g_every", "gan", "width", "growth", "d_features"}
    assert found["width"] == changes("more features in G", preset)["width"]


def test_the_list_of_esrdgan_stands_in_the_rows():
    verdicts = {name: trick.verdict for name, trick in TRICKS.items()}
    assert [name for name, verdict in verdicts.items() if verdict == DID_NOT] == [
        *("flipped labels", "LR noise", "nearest LR", "low features")
    ]
    assert sum(verdict == HELPED for verdict in verdicts.values()) == 7
    assert verdicts["no D"] == verdicts["vanilla"] == "not in its list"


def test_steps_are_shares_of_those_of_the_preset():
    paper = read_preset("paper", images="DIV2K")
    assert changes("halved rates", paper) == {"milestones": [10000, 20000, 30000, 40000]}
    assert changes("longer", paper) == {"iters": 300000}
    assert changes("more features in D", paper) == {"d_features": 96}
    assert changes("more features in D", laptop()) == {"d_features": 48}
    assert Of(3).value({"iters": 280}) == 840
    assert Of(0.01).value({"iters": 10}) == 1


def test_the_laptop_preset_is_the_recipe_of_the_lab():
    base = parameters(Row("base", 0), laptop())
    assert base["recipe"] == "laptop"
    free = {"recipe", "run", "photos", "validate_every"}  # none of the others acts on a weight
    assert {name: base[name] for name in set(base) - free} == {name: declared()[name] for name in set(base) - free}


def test_a_row_gives_all_that_the_lab_would_scale_with_its_steps(preset):
    book = read_recipes(NOTEBOOK.parent / "recipes" / f"{LAB}.yaml")
    scaled = [name for name in book["laptop"]["scales"] if declared()[name]]  # no milestones stay none
    for row in rows(preset):
        assert {*scaled, "ema", "validate_every"} <= set(parameters(row, preset))


def test_low_features_are_looked_at_besides_those_of_the_base(preset):
    network, *layers = preset["parameters"]["features"].split()
    assert changes("low features", preset)["features"].split() == [network, "conv1_2", *layers]
    srlab.models.features.parse(changes("low features", preset)["features"])


def test_a_missing_lab_is_refused(tmp_path):
    with pytest.raises(SrlabError, match=r"There is no lab .*none\.ipynb; the study trains by running the labs"):
        presets.defaults_of(tmp_path / "none.ipynb")


def test_only_rows_with_the_same_psnr_stage_share_one():
    preset = laptop()
    leaders = {row.trick: leader(row, preset) for row in rows(preset) if row.seed == 1}
    assert leaders.pop(TOGETHER) == Row("more features in G", 1)
    own = {"base", "more features in G", "LR noise", "nearest LR", "aliased cubic LR", "no PSNR stage"}
    assert {trick for trick, first in leaders.items() if first is None} == own
    assert {first for first in leaders.values() if first} == {Row("base", 1)}


def test_what_acts_on_the_second_stage_is_not_read_by_the_first():
    """Follow each name that ``train_psnr`` reads through the lab's functions and assignments down to parameters."""
    assert set(declared()) >= GAN_STAGE
    defined = {}
    for source in sources()[1:]:
        for node in ast.parse(source).body:
            names = [node.name] if isinstance(node, ast.FunctionDef | ast.ClassDef) else []
            targets = [*getattr(node, "targets", []), getattr(node, "target", None)]
            names += [target.id for target in targets if isinstance(target, ast.Name)]
            for name in names:
                defined.setdefault(name, []).append(node)
    seen, left = set(), ["train_psnr"]
    while left:
        name = left.pop()
        if name not in seen:
            seen.add(name)
            left += [read for node in defined.get(name, []) for read in reads(node)]
    seen = {name.removeprefix("lab.") for name in seen}
    assert {"pretrain_rate", "downsampler", "width", "patch", "pixel_step"} <= seen, "the walk must get somewhere"
    assert not seen & GAN_STAGE


def reads(node):
    """Names that a definition or the value of an assignment reads from outside of itself, such as ``lab.batch``."""
    part = getattr(node, "value", node)
    names = [one for one in ast.walk(part) if isinstance(one, ast.Name)]
    inside = {one.id for one in names if not isinstance(one.ctx, ast.Load)}
    inside |= {one.arg for one in ast.walk(part) if isinstance(one, ast.arg)}
    dotted = {ast.unparse(one) for one in ast.walk(part) if isinstance(one, ast.Attribute)}
    return {one.id for one in names} - inside | {name for name in dotted if name.startswith("lab.")}


def test_a_row_is_scored_on_lr_as_it_was_trained_on():
    preset = laptop()
    found = {row.trick: degradation(parameters(row, preset)) for row in rows(preset)}
    others = {"nearest LR": {"method": "nearest"}, "aliased cubic LR": {"method": "bicubic-aliased"}}
    others |= {"LR noise": {"noise": [0.01, 0.01]}}
    assert {trick: made for trick, made in found.items() if made} == others
    assert degradations(preset)[0] == {}
    assert len(degradations(preset)) == 4
    for settings in degradations(preset):
        srlab.Degradation(**settings)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rows": ["base", "magic"]}, "names 'magic', which is no row"),
        ({"rows": ["instance noise"]}, "leaves out the row 'base'"),
    ],
)
def test_a_preset_with_wrong_rows_is_refused(change, words):
    with pytest.raises(SrlabError, match=words):
        rows(laptop() | change)


def test_a_preset_that_changes_no_trick_is_refused():
    with pytest.raises(SrlabError, match="changes 'magic', which is no trick; choose from base, instance noise"):
        read_preset("laptop", tricks={"magic": {}})


# --- A row that runs away ------------------------------------------------------------------------------------


@pytest.fixture
def training(tmp_path, monkeypatch):
    """Train a row whose lab ends with a fault, after the trainer has left `state` in the manifest of its run."""

    def training(state, error="SrlabError: the weights are gone"):
        def execute(notebook, output, given, without):
            run = leave_run(notebook.stem, given["run"], given["iters"], state, seed=0)
            run.save_generator(srlab.models.MSRResNet(blocks=1, features=8), given["iters"])
            output.write_text("cells so far")
            if error:
                raise SrlabError(error)

        monkeypatch.setattr(trainer, "execute", execute)
        train.main(str(tmp_path / f"{LAB}.ipynb"), str(output), json.dumps({"run": "base-seed0", "iters": 10}))

    monkeypatch.setenv("SRLAB_HOME", str(tmp_path))
    (tmp_path / f"{LAB}.ipynb").write_text("{}")
    output = tmp_path / "notebooks" / "base-seed0.ipynb"
    training.output, training.note = output, output.with_suffix("") / train.LOST
    return training


def test_a_row_that_ran_away_ends_as_lost_and_says_why(training, tmp_path):
    training("failed")
    assert training.output.read_text() == "cells so far"
    assert training.note.read_text() == "SrlabError: the weights are gone"
    facts = {"row": "base-seed0", "trick": "base", "seed": 0}
    score.main(json.dumps(facts), str(tmp_path / "scores" / "base-seed0.csv"))
    lost = read_lost(tmp_path / "scores")
    assert lost.to_dict("records") == [facts | {"lost": "SrlabError: the weights are gone"}]
    with pytest.raises(SrlabError, match="No row of the base has scores"):
        read_scores(tmp_path / "scores")


def test_a_fault_outside_of_training_stops_the_row(training):
    with pytest.raises(SrlabError, match="the weights are gone"):
        training("finished")
    assert not training.output.exists()
    assert not training.note.exists()


def test_a_row_that_gets_through_the_second_time_is_no_longer_lost(training):
    training("failed")
    training("finished", error=None)
    assert not training.note.exists()
