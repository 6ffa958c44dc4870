"""Lab 00: Keys' cubic kernel."""

import torch

from srlab.exercises import Answer, Exercise


def cubic(x: torch.Tensor) -> torch.Tensor:
    """Keys' cubic kernel with a = -1/2; `srlab.data.resampling.cubic` does the same for any a.

    Parameters
    ----------
    x
        Distances in pixels, of any shape.

    Returns
    -------
    torch.Tensor
        Weights, in the shape of `x`.
    """
    x = x.abs()
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return torch.where(x <= 1, near, torch.where(x < 2, far, 0))


def _near(x: torch.Tensor, a: float = -0.5) -> torch.Tensor:
    return (a + 2) * x**3 - (a + 3) * x**2 + 1


def _far(x: torch.Tensor, a: float = -0.5) -> torch.Tensor:
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a


def _of_a(a: float) -> Answer:
    return lambda x: torch.where(x.abs() <= 1, _near(x.abs(), a), _far(x.abs(), a) * (x.abs() < 2))


def _swapped(x: torch.Tensor) -> torch.Tensor:
    x = x.abs()
    return torch.where(x <= 1, _far(x), _near(x) * (x < 2))


EXERCISE = Exercise(
    cubic,
    level="medium",
    cases={
        "symmetric, and 1 in the middle": (torch.tensor([-1.75, -1.25, -0.5, 0.0, 0.5, 1.25, 1.75]),),
        "0 from |x| = 2 outwards": (torch.tensor([2.0, 2.5, 3.0, -2.5, 10.0]),),
        "the two polynomials of Keys with a = -1/2": (torch.tensor([0.25, 0.5, 0.75, 1.25, 1.5, 1.75]),),
    },
    mistakes={
        "`x` holds many distances, and `if`, `and` and `or` decide once for all of them. torch.where decides for each; "
        "two conditions are joined by & with brackets around both.": lambda x: _near(x) if x.abs() <= 1 else _far(x),
        "The kernel should look the same on both sides of 0. What happens to a negative x in your code?": [
            lambda x: torch.where(x <= 1, _near(x), _far(x) * (x < 2)),
            lambda x: torch.where(x <= 1, _near(x), _far(x)),
        ],
        "From |x| = 2 outwards the kernel should be 0, but the outer polynomial goes on. How many samples may one "
        "output pixel see?": lambda x: torch.where(x.abs() <= 1, _near(x.abs()), _far(x.abs())),
        "The kernel dips lower than it should between 1 and 2. That is the curve for another constant a; OpenCV and "
        "plain torch take -3/4, Keys and MATLAB do not.": [_of_a(-0.75), _of_a(-1.0)],
        "Between 1 and 2 the kernel should be negative. Look at the sign of a.": _of_a(0.5),
        "The two branches have changed places: which polynomial belongs to |x| below 1?": [
            _swapped,
        ],
        "Between 1 and 2 nothing is left, but the kernel is 4 samples wide.": [
            lambda x: _near(x.abs()) * (x.abs() <= 1),
        ],
    },
    also_right=[_of_a(-0.5)],
    hints=(
        "The kernel has three pieces by the distance from 0: up to 1, from 1 to 2, and beyond.",
        "torch.where chooses piece by piece for a whole tensor, and can be nested for three pieces.",
    ),
)
