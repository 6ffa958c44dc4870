"""The live comparison beside its kernel: errors, the end of an old one, and what is left without it."""

import gc
import weakref

import pytest
import torch
from torch import nn

import srlab
from srlab.view import kernel


class Capricious(nn.Module):
    """Upscales, unless it is told to raise."""

    def __init__(self):
        super().__init__()
        self.raises, self.seen = None, None

    def forward(self, lr):
        self.seen = self.slider.busy if hasattr(self, "slider") else None
        if self.raises is not None:
            raise self.raises
        return srlab.upsample(lr, 4)


def live(network, **options):
    photo = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    return srlab.compare_live({"photo": photo}, {"SR": network}, **({"crop": 64} | options))


RAISED = [
    (srlab.SrlabError("It must upscale by 4."), "No picture: It must upscale by 4."),
    (ValueError("odd\nand more"), "No picture: ValueError: odd. Move a control to try again."),
    (RuntimeError(), "No picture: RuntimeError. Move a control to try again."),
    (KeyboardInterrupt(), "No picture: KeyboardInterrupt. Move a control to try again."),
    (ValueError("\x1b[31m" + 999 * "x"), f"No picture: ValueError: ?[31m{295 * 'x'}. Move a control to try again."),
]


@pytest.mark.parametrize(("error", "said"), RAISED, ids=lambda x: type(x).__name__)
def test_an_error_stands_in_place_of_the_picture_until_there_is_one(error, said):
    network = Capricious()
    box = live(network)
    across, slider = box.children[1].children[1], box.children[-1]
    network.slider, before = slider, slider.content
    network.raises = error
    across.value = 0.1
    assert (slider.problem, slider.busy, network.seen) == (said, False, True)
    network.raises = None
    across.value = 0.9
    assert (slider.problem, slider.busy) == ("", False)
    assert slider.content["frames"][3] != before["frames"][3]


class Shell:
    """A kernel's shell, as far as it says which cell asks."""

    def __init__(self):
        self.request = {}

    def get_parent(self):
        return self.request

    def run(self, cell, number):
        self.request = {"header": {"msg_id": str(number)}, "metadata": {"cellId": cell} if cell else {}}


@pytest.mark.parametrize("show", [live, lambda net: srlab.Ballot({"a": {"x": net, "y": net}}, "v.json").widget()])
def test_a_cell_that_runs_again_lets_go_of_what_it_showed(show, monkeypatch, request):
    shell = Shell()
    monkeypatch.setattr(kernel, "get_ipython", lambda: shell)
    make = Capricious if show is live else lambda: torch.rand(3, 24, 24)
    gc.collect()
    gc.freeze()  # what is older needn't be looked through each time
    request.addfinalizer(gc.unfreeze)
    alive, counts = [], []
    for number, cell in enumerate(("one", "one", "other", "one", "other", None, None)):
        shell.run(cell, number)
        networks = [make() for _ in range(2 if number == 0 else 1)]  # a cell may show two
        alive += [weakref.ref(network) for network in networks]
        for network in networks:
            show(network)
        del networks, network
        gc.collect()
        counts.append(sum(reference() is not None for reference in alive))
    assert counts == [2, 1, 2, 2, 2, 3, 4], "each cell keeps its last ones; who is no cell keeps all"
