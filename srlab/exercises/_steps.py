"""What the exercises that are still a list of steps are written with; goes when the last of them is converted."""

import numbers
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from srlab.exercises import TODO, Answer, StillToDo, Wrong, filled, sample

if TYPE_CHECKING:
    import torch

__all__ = [
    "TODO",
    "Answer",
    "Exercise",
    "StillToDo",
    "Wrong",
    "compare",
    "difference",
    "filled",
    "near",
    "sample",
    "tensor",
]


@dataclass(frozen=True)
class Exercise:
    """One exercise as a list of steps: pairs of words and a function that raises `Wrong` with a hint."""

    reference: Answer
    steps: tuple[tuple[str, Callable[[Answer], None]], ...]
    level: Literal["easy", "medium", "hard"]
    hints: tuple[str, ...]

    def judge(self, answer: Answer) -> Iterator[str]:
        """Yield the words of each step that an answer passes."""
        import torch

        from srlab.exercises.judging import stopped

        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.default_generator.manual_seed(0)
            for what, step in self.steps:
                try:
                    step(answer)
                except Wrong:
                    raise
                except Exception as error:
                    raise Wrong(stopped(error, answer)) from error
                yield what


def tensor(result: Any, shape: tuple[int, ...], hint: str = "") -> "torch.Tensor":
    """Take a result as a tensor of a given shape, detached; anything else raises `Wrong`.

    Parameters
    ----------
    result
        What the student's code returned.
    shape
        The shape it must have; ``()`` also takes a Python number or a tensor with one element.
    hint
        Said after the two shapes when they differ.
    """
    import torch

    if isinstance(filled(result), numbers.Real):
        result = torch.tensor(float(result), dtype=torch.float64)
    if not isinstance(result, torch.Tensor):
        kind = "number" if shape == () else "tensor"
        raise Wrong(f"The result should be a {kind}, but is a {type(result).__name__}.")
    if shape == () and result.numel() == 1:
        result = result.reshape(())
    if tuple(result.shape) != shape:
        raise Wrong(f"The result has shape {tuple(result.shape)}, but should have {shape}. {hint}".strip())
    return result.detach()


def near(result: Any, wanted: Any, tolerance: float = 1e-4) -> bool:
    """Whether two tensors or numbers of one shape are equal up to an absolute tolerance; NaN never is."""
    import torch

    result, wanted = (torch.as_tensor(x).detach().double().cpu() for x in (result, wanted))
    return result.shape == wanted.shape and torch.allclose(result, wanted, rtol=0, atol=tolerance)


def compare(
    result: Any,
    wanted: Any,
    mistakes: Iterable[tuple[str, Any]] = (),
    otherwise: str = "",
    tolerance: float = 1e-4,
    reveal: bool = True,
    keys: Sequence[str] = (),
) -> None:
    """Accept the wanted value, recognise known wrong ones by theirs, and show the first difference for any other.

    Parameters
    ----------
    result, wanted
        Tensors or numbers of the same shape.
    mistakes
        Pairs of (hint, the value that this mistake leads to).
    otherwise
        What to say when the value belongs to no known mistake.
    tolerance
        Largest absolute difference that counts as equal.
    reveal
        Show the wanted value as well; not where it is itself what is asked for.
    keys
        Names of the values, for a result ``(K,)`` that was made of a dict.
    """
    if near(result, wanted, tolerance):
        return
    for hint, value in mistakes:
        if near(result, value, tolerance):
            raise Wrong(hint)
    said = difference(result, wanted, tolerance, keys) if reveal else f"Your answer gives {_show(result)}."
    raise Wrong(f"{otherwise} {said}".strip())


def difference(result: Any, wanted: Any, tolerance: float = 1e-4, keys: Sequence[str] = ()) -> str:
    """One sentence on the first place where two tensors or numbers of one shape differ; `compare` has the rest."""
    import torch

    result, wanted = (torch.as_tensor(x).detach().double() for x in (result, wanted))
    # Not "differs by more", which NaN never does.
    place = (~((result - wanted).abs() <= tolerance)).nonzero()[0].tolist()
    pair = wanted[tuple(place)].item(), result[tuple(place)].item()
    expected, given = _unlike(*pair)
    if not place:
        return f"Expected {expected}, but your answer gives {given}."
    where = keys[place[0]] if keys else str(place)
    return f"The first difference is at {where}: expected {expected}, but your answer gives {given}."


def _unlike(a: float, b: float) -> tuple[str, str]:
    """Both numbers with four digits, or as many more as it takes to tell them apart."""
    texts = ((f"{a:.{digits}g}", f"{b:.{digits}g}") for digits in range(4, 18))
    return next((pair for pair in texts if pair[0] != pair[1]), (str(a), str(b)))


def _show(value: Any) -> str:
    import torch

    values = torch.as_tensor(value).flatten()
    return ", ".join(f"{x:.4g}" for x in values[:4].tolist()) + (", ..." if len(values) > 4 else "")
