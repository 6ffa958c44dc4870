"""Normal noise that is a function of a seed and a position, so that tiles of an image need no common generator.

A counter-based generator (Salmon et al. 2011): nothing is stored, and nothing repeats at a distance. The bits come from
integer arithmetic and are equal on all devices, so the noise differs between devices only by the rounding of logarithm
and cosine.
"""

import math

import torch

WORD = 2**32 - 1  # mask of 32 bits
START = 0x9E3779B9  # any constant with irregular bits, here from the golden ratio


def noise_at(rows: torch.Tensor, columns: torch.Tensor, seed: int) -> torch.Tensor:
    """Return standard normal noise of the pixels at given positions, with three independent channels.

    Parameters
    ----------
    rows, columns
        Positions in the image, int64 from 0 to 2**30, ``(H,)`` and ``(W,)``.
    seed
        Any integer; seeds that differ modulo 2**64 give independent noise.

    Returns
    -------
    torch.Tensor
        ``(3, H, W)``, float32 on the device of `rows`. No value is beyond 6.7.
    """
    lines = 3 * rows[:, None] + torch.arange(3, device=rows.device)[:, None, None]
    of_seed = _two_words(seed & WORD, (seed >> 32 & WORD, START))
    radius, angle = _two_words(columns, _two_words(lines, of_seed))
    # Box and Muller 1958. Without the + 1, the logarithm of 0 would be infinite.
    return (-2 * ((radius + 1) / 2**32).log()).sqrt() * (2 * math.pi / 2**32 * angle).cos()


def _two_words(counter: torch.Tensor | int, key: tuple) -> tuple:
    """Hash a counter with a key of two words into two words; all are 32-bit integers, as numbers or int64 tensors.

    Each level of `noise_at` has a key of 64 bits because with 32 bits, some lines of a large image would be equal.
    """
    first, second = key
    return _mix(_mix(counter ^ first) ^ second), _mix(_mix(counter ^ second) ^ first)


def _mix(word: torch.Tensor | int) -> torch.Tensor | int:
    """Map 32-bit integers one to one, so that each bit of the input changes half of the bits of the output.

    The multiplier has less than 31 bits, so no product exceeds an int64.
    """
    for _ in range(2):
        word = (word ^ (word >> 16)) * 0x45D9F3B & WORD
    return word ^ (word >> 16)
