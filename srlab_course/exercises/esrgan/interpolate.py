"""Lab 04: interpolating the weights of two networks."""

import torch

from srlab_course.feedback.exercise import Exercise


def interpolate(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor], alpha: float) -> dict[str, torch.Tensor]:
    """Interpolate the weights of two networks, ``(1 - alpha) * a + alpha * b`` (ESRGAN paper, section 3.4).

    Parameters
    ----------
    a, b
        State dicts of one architecture: the same names, in any order. Integer entries, such as the counter of a batch
        norm, cannot be interpolated and are copied from `a`.
    alpha
        Interpolation weight: 0 gives `a`, 1 gives `b`.

    Returns
    -------
    dict of str to torch.Tensor
        New state dict; `a` and `b` are unchanged.
    """
    return {
        key: (1 - alpha) * weight + alpha * b[key] if weight.is_floating_point() else weight.clone()
        for key, weight in a.items()
    }


# The vectors are in different orders. All have the same shape, so pairing them by position raises no error.
_A = {
    "conv.weight": torch.tensor([[1.0, -2.0], [0.5, 3.0]]),
    "conv.bias": torch.tensor([0.25, -1.0]),
    "norm.weight": torch.tensor([1.5, 0.75]),
    "norm.bias": torch.tensor([-0.5, 0.1]),
    "norm.running_mean": torch.tensor([0.4, -0.9]),
    "norm.running_var": torch.tensor([1.1, 2.0]),
}
_B = {
    "conv.weight": torch.tensor([[-1.0, 2.0], [4.0, 1.0]]),
    "norm.bias": torch.tensor([0.3, -0.8]),
    "conv.bias": torch.tensor([2.0, 0.5]),
    "norm.running_var": torch.tensor([0.7, 3.0]),
    "norm.weight": torch.tensor([0.6, 1.25]),
    "norm.running_mean": torch.tensor([-0.2, 1.3]),
}
_COUNTER = "norm.num_batches_tracked"
_COUNTED = _A | {_COUNTER: torch.tensor(100)}, _B | {_COUNTER: torch.tensor(301)}
EXERCISE = Exercise(
    interpolate,
    level="easy",
    points=3,
    cases={
        "alpha = 0 gives a": (_A, _B, 0.0),
        "alpha = 1 gives b": (_A, _B, 1.0),
        "a quarter of the way": (_A, _B, 0.25),
        "integer entries come from a": (*_COUNTED, 0.25),
    },
)
