"""Compare two networks layer by layer, in the order in which they run; their layers may have different names."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf

import torch
from torch import nn

from srlab.errors import SrlabError
from srlab_course.feedback.layer_uses import Use, watch
from srlab_course.layout import in_columns, in_lines

Pair = tuple[Use | None, Use | None]  # a layer of mine and one of the reference's; None if it has no partner


@dataclass(frozen=True)
class Comparison:
    """Two networks side by side, printed as a table and a verdict.

    Attributes
    ----------
    table
        A line per layer: both names and kinds, parameters, and the largest difference between the outputs.
    verdict
        Where the first difference is, and what is known about its cause.
    first
        Place of the first difference, such as ``"layer 3, Conv2d"`` or ``"between layer 3 and the output"``; ``""`` if
        there is none.
    difference
        Largest difference between the outputs of the networks; infinite if they can't be compared.
    """

    table: str
    verdict: str
    first: str
    difference: float

    def __repr__(self) -> str:
        return f"{self.table}\n\n{self.verdict}"


def compare_layers(mine: nn.Module, reference: nn.Module, lr: torch.Tensor, tolerance: float = 1e-5) -> Comparison:
    """Run two networks on an LR image, and find the first layer whose output differs.

    Layers (modules without children) and their parameters are matched by order of execution, kind and shape, not by
    name. Functions, such as ``F.interpolate``, cannot be watched: the place of a difference is then between two layers.

    Parameters
    ----------
    mine, reference
        Networks. Both run in eval mode and stay as they were.
    lr
        ``(1, 3, h, w)`` in [0, 1]. A small image is enough, since copies of all features are kept.
    tolerance
        Largest difference that counts as equal, relative to the reference's largest value if that is above 1.
    """
    for whose, network in (("mine", mine), ("reference", reference)):
        if not isinstance(network, nn.Module):
            raise SrlabError(
                f"`{whose}` must be a network, but its type is {type(network).__name__}. Pass an nn.Module."
            )
    if not isinstance(lr, torch.Tensor) or lr.ndim != 4:
        found = f"has the shape {tuple(lr.shape)}" if isinstance(lr, torch.Tensor) else f"is a {type(lr).__name__}"
        raise SrlabError(f"`lr` must be a tensor (1, 3, h, w), but {found}. Pass an LR image with a batch dimension.")
    theirs, wanted, error = watch(reference, lr)
    if error is not None or wanted is None:
        raise SrlabError(f"The reference cannot upscale `lr`: {_short(error) if error else 'it returns no tensor'}.")
    own, given, error = watch(mine, lr)
    pairs = _pair(own, theirs)
    first, cause = _first_difference(pairs, lr.detach().cpu(), given, wanted, error, tolerance)
    difference = _gap(given, wanted)
    if first:
        lines = [f"The first difference is {'' if first.startswith('between') else 'in '}{first}. {cause}"]
    else:
        lines = [
            f"No difference: layers and outputs agree. The largest difference between the outputs is {difference:.2g}."
        ]
    lines += [*_structure(pairs, first), *_counts(own, theirs), *_without_partner(pairs)]
    if error is not None:
        lines.append(f"Your network stopped with {_short(error)}.")
    table = in_columns([*_rows(pairs, first), *_loose(pairs, mine, reference)])
    return Comparison(table, "\n".join(in_lines("", line) for line in lines), first, difference)


def _pair(own: Sequence[Use], theirs: Sequence[Use]) -> list[Pair]:
    """Match the layers in order so that as many as possible are alike (Needleman and Wunsch 1970), early ones first."""

    def likeness(a: Use, b: Use) -> int:
        return 2 * (a.kind == b.kind) + (a.kind == b.kind and a.shapes == b.shapes)

    best = [[0] * (len(theirs) + 1) for _ in range(len(own) + 1)]  # for the layers from (i, j) on
    for i in reversed(range(len(own))):
        for j in reversed(range(len(theirs))):
            matched = best[i + 1][j + 1] + likeness(own[i], theirs[j])
            best[i][j] = max(matched, best[i + 1][j], best[i][j + 1])
    pairs: list[Pair] = []
    i = j = 0
    while i < len(own) and j < len(theirs):
        if best[i][j] == best[i + 1][j + 1] + likeness(own[i], theirs[j]):
            pairs.append((own[i], theirs[j]))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i][j + 1]:
            pairs.append((None, theirs[j]))
            j += 1
        else:
            pairs.append((own[i], None))
            i += 1
    return _moved([*pairs, *((use, None) for use in own[i:]), *((None, use) for use in theirs[j:])])


def _moved(pairs: list[Pair]) -> list[Pair]:
    """Match layers without a partner that the networks run at different times, such as a skip before or after."""
    for use in [mine for mine, theirs in pairs if theirs is None]:
        for place, (mine, theirs) in enumerate(pairs):
            if mine is None and (theirs.kind, theirs.shapes) == (use.kind, use.shapes):
                pairs[place] = (use, theirs)
                pairs.remove((use, None))
                break
    return pairs


def _first_difference(
    pairs: Sequence[Pair],
    lr: torch.Tensor,
    given: torch.Tensor | None,
    wanted: torch.Tensor,
    error: BaseException | None,
    tolerance: float,
) -> tuple[str, str]:
    """Return the place of the first difference and what is known about it, or two empty strings."""
    before: str = "the input"
    alone: list[tuple[int, Use | None, Use | None]] = []
    for place, (mine, theirs) in enumerate(pairs, 1):
        here = f"layer {place}"
        if mine is None or theirs is None:
            alone.append((place, mine, theirs))
            continue
        if not _agree(mine.given, theirs.given, tolerance):
            found = f"The input of {here} {_by(mine.given, theirs.given)}."
            return f"between {before} and {here}", f"{_until(before)}{found} {_between(alone)}"
        if not _agree(mine.result, theirs.result, tolerance):
            found = f"Its input agrees, but its output {_by(mine.result, theirs.result)}."
            return f"{here}, {theirs.kind}", f"{found} {_cause(mine, theirs)}"
        if alone and before != "the input" and _gap(theirs.given, lr) == 0:
            continue  # a skip: it gets the LR image, so it says nothing about the layers without a partner before it
        before, alone = here, []
    if error is None and _agree(given, wanted, tolerance):
        return "", ""
    found = f"The output {_by(given, wanted)}. " if error is None else ""
    return f"between {before} and the output", f"{_until(before)}{found}{_between(alone)}"


def _until(before: str) -> str:
    return "" if before == "the input" else f"Everything up to {before} agrees. "


def _between(alone: Sequence[tuple[int, Use | None, Use | None]]) -> str:
    """Return a question about code between two layers, after the layers there that have no partner."""
    known = []
    for whose, which in (("your network", 1), ("the reference", 2)):
        if layers := [f"layer {entry[0]}, {entry[which].settings}" for entry in alone if entry[which]]:
            known.append(f"{whose} runs {_list(layers)}")
    return (f"There, {', and '.join(known)}. " if known else "") + "What does your forward compute there?"


def _list(layers: Sequence[str]) -> str:
    """Join at most three layers."""
    return "; ".join([*layers[:3], *([f"{len(layers) - 3} more"] if len(layers) > 3 else [])])


def _gap(a: torch.Tensor | None, b: torch.Tensor | None) -> float:
    """Return the largest difference between two tensors: inf for other shapes, NaN, or a missing one."""
    if a is None or b is None or a.shape != b.shape:
        return inf
    found = (a.double() - b.double()).abs().max().item() if a.numel() else 0.0
    return found if found == found else inf  # NaN does not equal itself


def _agree(a: torch.Tensor | None, b: torch.Tensor | None, tolerance: float) -> bool:
    """Return whether two outputs agree; if the reference's is not a tensor, it is not compared."""
    return b is None or _gap(a, b) <= tolerance * max(1.0, b.abs().max().item() if b.numel() else 0.0)


def _by(a: torch.Tensor | None, b: torch.Tensor) -> str:
    """Return by how much two tensors differ, as the end of a sentence."""
    if a is None:
        return "is not a tensor"
    if a.shape != b.shape:
        return f"has the shape {tuple(a.shape)}, not {tuple(b.shape)}"
    return f"differs by up to {_gap(a, b):.2g} (the largest value there is {b.abs().max().item():.2g})"


def _cause(mine: Use, theirs: Use) -> str:
    """Return sentences about the differences between two layers that map the same input to different outputs."""
    causes = []
    if mine.again and not theirs.again:
        causes.append(f"You run {mine.name} a second time there, and the reference has another layer.")
    if mine.shapes != theirs.shapes:
        causes.append(f"The shapes of its parameters are {mine.shapes} in yours, and {theirs.shapes} in the reference.")
    values = zip(theirs.parameters, mine.parameters.values(), theirs.parameters.values(), strict=False)
    far = [f"{name} differs by up to {_gap(a, b):.2g}" for name, a, b in values if 0 < _gap(a, b) < inf]
    if far:
        causes.append(f"Its {' and its '.join(far)}.")
    if mine.settings != theirs.settings:
        causes.append(f"Yours is {mine.settings}, and the reference's is {theirs.settings}.")
    return " ".join(causes or ["Its parameters and settings are equal, so look at the code of the layer."])


def _structure(pairs: Sequence[Pair], first: str) -> Iterator[str]:
    """Yield a sentence about the first layer of another kind, with other shapes, or used again; none for `first`."""
    for place, (mine, theirs) in enumerate(pairs, 1):
        if mine is None or theirs is None:
            continue
        again = mine.again and not theirs.again
        if again or (mine.kind, mine.shapes) != (theirs.kind, theirs.shapes):
            if not first.startswith(f"layer {place},"):
                yours = f"yours is {mine.settings}{f', {mine.name} a second time' if again else ''}"
                yield f"The structure differs first in layer {place}: {yours}, the reference's is {theirs.settings}."
            return


def _counts(own: Sequence[Use], theirs: Sequence[Use]) -> Iterator[str]:
    """Yield a sentence if the networks run different numbers of layers of some kind that has parameters."""
    kinds = dict.fromkeys(use.kind for use in (*theirs, *own) if use.shapes)
    counts = {kind: [sum(use.kind == kind for use in uses) for uses in (own, theirs)] for kind in kinds}
    if odd := [f"{a} {kind} ({b} in the reference)" for kind, (a, b) in counts.items() if a != b]:
        yield f"The numbers of layers differ: yours runs {', '.join(odd)}."


def _without_partner(pairs: Sequence[Pair]) -> Iterator[str]:
    """Yield sentences about layers that only one of the networks runs."""
    for which, sentence in (
        (0, "Only your network runs {}."),
        (1, "Only the reference runs {}. A function in your forward may do the same; functions are not listed."),
    ):
        alone = [(place, pair[which]) for place, pair in enumerate(pairs, 1) if pair[1 - which] is None]
        if alone:
            yield sentence.format(_list([f"layer {place} ({use.kind})" for place, use in alone]))


def _rows(pairs: Sequence[Pair], first: str) -> Iterator[tuple[str, ...]]:
    """Yield a row per layer, with a mark where the first difference is."""
    yield "layer", "yours", "reference", "parameters", "outputs differ by"
    for place, (mine, theirs) in enumerate(pairs, 1):
        names = [f"{use.name} {use.kind}{' (again)' * use.again}" if use else "-" for use in (mine, theirs)]
        if mine is None or theirs is None:
            yield str(place), *names, _shapes((mine or theirs).shapes), "-"
            continue
        gap = _gap(mine.result, theirs.result)
        shown = f"{gap:.2g}" if gap < inf else "another shape"
        mark = "  <- first" * first.startswith(f"layer {place},")
        yield str(place), *names, _compared(mine.parameters.values(), theirs.parameters.values()), f"{shown}{mark}"


def _loose(pairs: Sequence[Pair], mine: nn.Module, reference: nn.Module) -> Iterator[tuple[str, ...]]:
    """Yield a row for each parameter that belongs to no layer with a partner, matched by order and shape."""
    matched = {id(value) for pair in pairs if None not in pair for use in pair for value in use.layer.parameters()}
    rest = [
        [(name, value.detach().cpu()) for name, value in network.named_parameters() if id(value) not in matched]
        for network in (mine, reference)
    ]
    for name, value in rest[0]:
        partner = next((other for other in rest[1] if other[1].shape == value.shape), None)
        rest[1] = [other for other in rest[1] if other is not partner]
        yield "", name, partner[0] if partner else "-", _compared([value], [partner[1]] if partner else []), ""
    for name, value in rest[1]:
        yield "", "-", name, _shapes([value.shape]), ""


def _compared(mine: Sequence[torch.Tensor], theirs: Sequence[torch.Tensor]) -> str:
    """Return the shapes of parameters and how far their values differ, as a cell of the table."""
    mine, theirs = list(mine), list(theirs)
    shapes = [_shapes([value.shape for value in values]) for values in (mine, theirs)]
    if shapes[0] != shapes[1]:
        return f"{shapes[0] or 'none'}, not {shapes[1] or 'none'}"
    gap = max((_gap(a, b) for a, b in zip(mine, theirs, strict=True)), default=0.0)
    return f"{shapes[0]}{f': differ by {gap:.2g}' if gap else ''}" if mine else ""


def _shapes(shapes: Sequence[Sequence[int]]) -> str:
    return ", ".join("x".join(map(str, shape)) for shape in shapes)


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}".rstrip(".")
