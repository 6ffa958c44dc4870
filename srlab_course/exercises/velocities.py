"""What an answer may pass to a velocity, for the exercises of labs 06 and 07."""

from typing import Any

import torch

from srlab_course.feedback.exercise import IncorrectAnswer


def expect_times(x: torch.Tensor, t: Any, noise: torch.Tensor) -> torch.Tensor:
    """Return t in float32; raise `IncorrectAnswer` unless it has one time per sample, and x the shape of the noise."""
    t = torch.as_tensor(t, dtype=torch.float32)
    if tuple(t.shape) != (len(noise),):
        raise IncorrectAnswer(
            f"velocity needs one time per sample: t should have the shape ({len(noise)},), but has {tuple(t.shape)}."
        )
    if x.shape != noise.shape:
        raise IncorrectAnswer(f"x should have the shape of noise, {tuple(noise.shape)}, not {tuple(x.shape)}.")
    return t
