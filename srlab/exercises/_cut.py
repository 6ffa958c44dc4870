"""The exercise of lab 02 about where VGG is cut: its layers counted by stage and convolution."""

import operator
from collections.abc import Sequence

from srlab.base.errors import SrlabError
from srlab.exercises._steps import Answer, Exercise, Wrong, filled


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


_VGG11, _VGG16, _VGG19 = (1, 1, 2, 2, 2), (2, 2, 3, 3, 3), (2, 2, 4, 4, 4)


def _kinds(convs: Sequence[int]) -> list[str]:
    return [kind for count in convs for kind in [*["conv", "relu"] * count, "pool"]]


def _named(convs: Sequence[int], count: int) -> str:
    """Name of the layer that is the last of so many."""
    names = []
    for stage, number in enumerate(convs, start=1):
        names += [f"{kind}{stage}_{i}" for i in range(1, number + 1) for kind in ("conv", "relu")]
        names.append(f"pool{stage}")
    return names[count - 1] if 0 < count <= len(names) else ""


def _vgg_mistakes(convs: Sequence[int], stage: int, conv: int, after: bool) -> list[tuple[str, int]]:
    """Hints and the counts that they belong to; the first that fits is said."""
    kinds = _kinds(convs)
    right = vgg_cut(kinds, stage, conv, after)
    places = [place for place, kind in enumerate(kinds) if kind == "conv"]
    total = sum(convs[: stage - 1]) + conv  # which of all convolutions it is
    pool = sum(2 * count + 1 for count in convs[:stage])
    # Counted back through all convolutions in front of the stage's pool, as the content-loss study's code does.
    back = [places[sum(convs[:stage]) - steps] + 1 for steps in (conv + 1, conv) if steps <= sum(convs[:stage])]
    side = (
        "The cut is before the ReLU, but `after` asks for what comes out of it. The map before it has negative values."
        if after
        else "The cut is behind the ReLU, but `after` is False: the map should still have its negative values."
    )
    zero = (
        "The count is one too small: it is the place of the layer when the first has place 0. A slice [:n] ends "
        "before place n, so what does it leave out?"
    )
    end = (
        "The convolutions seem to be counted from the end, through all stages before. That is how a published study "
        "of content losses meant conv5_4 and got conv4_4. From which end of its stage is a convolution counted?"
    )
    early, late = (
        f"The cut falls in the stage {word}. A new stage begins behind a pool, and the first stage, which has no pool "
        "before it, has the number 1. Which number has the stage that you look through?"
        for word in ("before", "behind")
    )
    found = [
        (side, right + (-1 if after else 1)),
        (zero, right - 1),
        (side, right - 2 if after else right),
        ("The pool at the end of the stage is kept too. It halves the map; should it still be there?", pool),
        *((end, count + after) for count in back),
        (
            "The convolutions were counted through the whole network. `conv` starts again at 1 in each stage.",
            places[min(conv, len(places)) - 1] + 1 + after if stage > 1 else 0,
        ),
        ("Only convolutions were counted. The ReLUs and the pools between them are layers too.", total),
        ("Only convolutions were counted. The ReLUs and the pools between them are layers too.", total + after),
        ("Convolutions and ReLUs were counted, but the pools are layers too.", 2 * total - 1 + after),
    ]
    for hint, other in ((early, stage - 1), (late, stage + 1)):
        if 1 <= other <= len(convs):
            found += [(hint, vgg_cut(kinds, other, conv, after) + d) for d in (0, -1) if conv <= convs[other - 1]]
    number = "The stage is right, but it is the convolution {}. Both numbers start at 1."
    for word, other in (("before it", conv - 1), ("behind it", conv + 1)):
        if 1 <= other <= convs[stage - 1]:
            found += [(number.format(word), vgg_cut(kinds, stage, other, a)) for a in (False, True)]
    return [(hint, count) for hint, count in found if count != right]


def _vgg(network: str, convs: Sequence[int], *asked: tuple[int, int, bool]) -> Answer:
    def step(answer: Answer) -> None:
        rights = [vgg_cut(_kinds(convs), *question) for question in asked]
        counts: list[int] = []
        for question in asked:
            try:
                counts.append(_count(answer, convs, *question))
            except Exception:
                # What has no answer here matters less than an answer that was wrong before.
                if counts == rights[: len(counts)]:
                    raise
                break
        if counts == rights:
            return
        # One place may come from several mistakes: those that also explain the other answers are likelier.
        known = [[*_vgg_mistakes(convs, *question), ("", right)] for question, right in zip(asked, rights, strict=True)]
        first = next(i for i, pair in enumerate(zip(counts, rights, strict=False)) if pair[0] != pair[1])
        hints = [hint for hint, count in known[first] if count == counts[first]]
        everywhere = [
            hint
            for hint in hints
            if all({(hint, n), ("", n)} & set(pairs) for n, pairs in zip(counts, known, strict=False))
        ]
        stage, conv, after = asked[first]
        if network != "VGG19" and counts[first] == _fixed(stage, conv, after):
            everywhere = ["That is the place in VGG19, but another network may come in. Count in the list of kinds."]
        last = _named(convs, counts[first])
        where = (
            f"[:{counts[first]}] of {network} ends with {last}" if last else f"{network} has no layer {counts[first]}"
        )
        wanted = f"{'relu' if after else 'conv'}{stage}_{conv}"
        raise Wrong(f"{where}, and {wanted} was asked for. {[*everywhere, *hints, ''][0]}".strip())

    return step


def _count(answer: Answer, convs: Sequence[int], stage: int, conv: int, after: bool) -> int:
    kinds = _kinds(convs)
    result = answer(kinds, stage, conv, after)
    if result is None:
        wanted = f"{'relu' if after else 'conv'}{stage}_{conv}"
        raise Wrong(
            f"The result is None: your count never comes to {wanted}. With which numbers do your "
            "counts begin, and where do they begin anew?"
        )
    filled(result)
    if kinds != _kinds(convs):
        raise Wrong("The list of kinds was changed in place, and the next question would get another network.")
    try:
        return operator.index(result)
    except TypeError as error:
        kind = type(result).__name__
        raise Wrong(f"The result should be a whole number of layers, but is a {kind}.") from error


def _fixed(stage: int, conv: int, after: bool) -> int:
    return vgg_cut(_kinds(_VGG19), stage, conv, after) if conv <= _VGG19[stage - 1] else 0


EXERCISES = {
    "content_loss.vgg_cut": Exercise(
        vgg_cut,
        (
            ("conv5_4 and conv3_1 of VGG19", _vgg("VGG19", _VGG19, (5, 4, False), (3, 1, False))),
            ("behind the ReLU", _vgg("VGG19", _VGG19, (5, 4, True), (3, 1, True))),
            (
                "other stages",
                _vgg("VGG19", _VGG19, (1, 1, False), (2, 2, True), (2, 2, False), (3, 1, False), (4, 3, True)),
            ),
            (
                "other networks",
                _vgg("VGG16", _VGG16, (5, 3, False), (3, 2, True)),
            ),
            ("stages of a single convolution", _vgg("VGG11", _VGG11, (2, 1, True), (1, 1, False), (4, 2, False))),
        ),
        "medium",
        (
            "Go through the list once, and know at each layer in which stage you are and at which convolution of it.",
            "A pool begins a new stage, in which the convolutions are counted from 1 again. How many layers have you "
            "passed when both numbers are right?",
        ),
    ),
}
