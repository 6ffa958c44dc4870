"""Lab 02: where VGG is cut."""

import operator
from collections.abc import Sequence

from srlab.base.errors import SrlabError
from srlab.exercises import Answer, Exercise, filled


def vgg_cut(kinds: Sequence[str], stage: int, conv: int, after: bool) -> int:
    """Count the layers of a VGG up to a convolution, or up to its ReLU.

    Parameters
    ----------
    kinds
        ``"conv"``, ``"relu"`` or ``"pool"`` for each layer, in order; a pool ends a stage.
    stage, conv
        Both from 1: ``5, 4`` is conv5_4.
    after
        Whether its ReLU still belongs to it.

    Returns
    -------
    int
        How many layers to keep, so that ``layers[:count]`` ends where it should.

    Raises
    ------
    SrlabError
        There is no such convolution.
    """
    at_stage, at_conv = 1, 0
    for count, kind in enumerate(kinds, start=1):
        if kind == "pool":
            at_stage, at_conv = at_stage + 1, 0
        at_conv += kind == "conv"
        if (at_stage, at_conv, kind) == (stage, conv, "relu" if after else "conv"):
            return count
    raise SrlabError(f"There is no conv{stage}_{conv} in a network of {len(kinds)} layers.")


def _observe(answer: Answer, kinds: list[str], stage: int, conv: int, after: bool) -> dict[str, int]:
    return {f"{'relu' if after else 'conv'}{stage}_{conv}": operator.index(filled(answer(kinds, stage, conv, after)))}


def _network(*convs: int) -> list[str]:
    return [kind for count in convs for kind in [*["conv", "relu"] * count, "pool"]]


def _places(kinds: Sequence[str], kind: str) -> list[int]:
    return [place for place, found in enumerate(kinds, start=1) if found == kind]


def _other(stages: int = 0, convs: int = 0) -> Answer:
    """Counts that begin with other numbers, and may never come to those that were asked for."""

    def count(kinds: Sequence[str], stage: int, conv: int, after: bool) -> int | None:
        try:
            return vgg_cut(kinds, stage + stages, conv + convs, after)
        except SrlabError:
            return None

    return count


def _from_the_end(start: int) -> Answer:
    """Counted back through all convolutions in front of the stage's pool."""

    def count(kinds: Sequence[str], stage: int, conv: int, after: bool) -> int:
        convs = [place for place in _places(kinds, "conv") if place < _places(kinds, "pool")[stage - 1]]
        return convs[start - conv] + after

    return count


_VGG16, _VGG19 = _network(2, 2, 3, 3, 3), _network(2, 2, 4, 4, 4)

EXERCISE = Exercise(
    vgg_cut,
    level="medium",
    cases={
        "conv5_4 of VGG19": (_VGG19, 5, 4, False),
        "conv3_1": (_VGG19, 3, 1, False),
        "relu5_4, behind the ReLU": (_VGG19, 5, 4, True),
        "relu2_2": (_VGG19, 2, 2, True),
        "conv1_1": (_VGG19, 1, 1, False),
        "conv5_3 of VGG16": (_VGG16, 5, 3, False),
        "relu2_1 of VGG11, with stages of a single convolution": (_network(1, 1, 2, 2, 2), 2, 1, True),
    },
    observe=_observe,
    mistakes={
        "The cut is before the ReLU, where the map has negative values, but `after` asks for what comes out of it.": (
            lambda kinds, stage, conv, after: vgg_cut(kinds, stage, conv, False)
        ),
        "The cut is behind the ReLU, but `after` is False: the map should still have its negative values.": [
            lambda kinds, stage, conv, after: vgg_cut(kinds, stage, conv, True),
            lambda kinds, stage, conv, after: vgg_cut(kinds, stage, conv, not after),
            lambda *asked: vgg_cut(*asked) + 1,
        ],
        "The count is one too small: it is the place of the layer when the first has place 0. A slice [:n] ends before "
        "place n, so what does it leave out?": lambda *asked: vgg_cut(*asked) - 1,
        "The pool at the end of the stage is kept too. It halves the map; should it still be there?": (
            lambda kinds, stage, conv, after: _places(kinds, "pool")[stage - 1]
        ),
        "The convolutions seem to be counted from the end, through all stages before. That is how a published study of "
        "content losses meant conv5_4 and got conv4_4. From which end of its stage is a convolution counted?": [
            _from_the_end(-1),
            _from_the_end(0),
        ],
        "The cut falls in the stage before. A new stage begins behind a pool, and the first stage, which has no pool "
        "before it, has the number 1. Which number has the stage that you look through?": _other(stages=-1),
        "The stage is right, but it is the convolution before it. Both numbers start at 1.": _other(convs=-1),
        "Your count never comes to the convolution that was asked for. With which numbers do your counts begin, and "
        "where do they begin anew?": [
            _other(stages=1),
            _other(convs=1),
        ],
        "The convolutions were counted through the whole network. `conv` starts again at 1 in each stage.": (
            lambda kinds, stage, conv, after: _places(kinds, "conv")[conv - 1] + after
        ),
        "Only the convolutions, or these and the ReLUs, were counted. All that stands between them is a layer too.": [
            lambda kinds, *asked: kinds[: vgg_cut(kinds, *asked)].count("conv"),
            lambda kinds, stage, conv, after: kinds[: vgg_cut(kinds, stage, conv, after)].count("conv") + after,
            lambda kinds, stage, conv, after: vgg_cut(kinds, stage, conv, after) - (stage - 1),
        ],
        "That is the place in VGG19, but another network may come in. Count in the list of kinds.": (
            lambda kinds, *asked: vgg_cut(_VGG19, *asked)
        ),
        "The result should be a whole number of layers.": lambda *asked: float(vgg_cut(*asked)),
    },
    also_right=[lambda kinds, stage, conv, after: [0, *_places(kinds, "pool")][stage - 1] + 2 * conv - (not after)],
    hints=(
        "Go through the list once, and know at each layer in which stage you are and at which convolution of it.",
        "A pool begins a new stage, in which the convolutions are counted from 1 again. How many layers have you "
        "passed when both numbers are right?",
    ),
)
