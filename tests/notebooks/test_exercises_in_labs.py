"""The exercise cells of the labs as a student meets them: untouched, and solved."""

import nbformat
import pytest

import srlab
from srlab import exercises

from .conftest import LABS

CELLS = [
    (lab.stem, stub.source, check.source)
    for lab in LABS
    for stub, check in zip(
        *[iter(c for c in nbformat.read(lab, 4).cells if "exercise" in str(c.metadata))] * 2, strict=True
    )
]
NAMES = [check.split('"')[1] for _, _, check in CELLS]


def namespace():
    import torch
    from torch import nn

    return {"srlab": srlab, "torch": torch, "nn": nn}


@pytest.mark.parametrize(("lab", "stub", "check"), CELLS, ids=NAMES)
def test_untouched_stub_goes_on_with_the_reference(lab, stub, check, capsys, monkeypatch):
    monkeypatch.delenv("SRLAB_STRICT", raising=False)
    scope = namespace()
    exec(stub, scope)
    exec(check, scope)
    name = check.split('"')[1]
    assert "to do" in capsys.readouterr().out
    assert scope[check.split(" ")[0]] is exercises.find(name).reference


@pytest.mark.parametrize(("lab", "stub", "check"), CELLS, ids=NAMES)
def test_strict_mode_refuses_the_stub_and_takes_a_solution(lab, stub, check, monkeypatch):
    monkeypatch.setenv("SRLAB_STRICT", "1")
    scope = namespace()
    exec(stub, scope)
    with pytest.raises(srlab.SrlabError):
        exec(check, scope)
    solution = exercises.find(check.split('"')[1]).reference
    scope[check.split(" ")[0]] = solution
    exec(check, scope)
    assert scope[check.split(" ")[0]] is solution


def test_every_exercise_stands_in_a_lab():
    assert sorted(NAMES) == sorted(exercises.names())
