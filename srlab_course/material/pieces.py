"""Crops of one photo that downscale to the same LR patch: the ambiguity of super-resolution made visible."""

import torch
import torch.nn.functional as F

CORRECTIONS = 30  # rounds of back-projection; LR then differs by less than one gray level (0-255)


def to_lr(hr: torch.Tensor, scale: int = 4) -> torch.Tensor:
    """Downscale crops ``(N, C, H, W)`` with the bicubic kernel; H and W are multiples of the scale."""
    return F.interpolate(hr, scale_factor=1 / scale, mode="bicubic", antialias=True)


def pieces_that_fit(
    photo: torch.Tensor, top: int, left: int, side: int = 8, count: int = 50, scale: int = 4
) -> torch.Tensor:
    """Find crops of a photo that are similar at LR size, and make them downscale to exactly the same LR patch.

    Search the LR photo for the locations most similar to the given patch. None of them overlaps the patch, and no two
    are nearly the same location. Back-projection then corrects each crop until its LR matches.

    Parameters
    ----------
    photo
        HR photo, ``(1, 1, H, W)`` in [0, 1]; H and W are multiples of the scale.
    top, left
        Upper left corner of the patch, in LR pixels.
    side
        Side of the patch, in LR pixels.
    count
        Number of crops; a small photo may give fewer.
    scale
        HR pixels per LR pixel along each axis.

    Returns
    -------
    torch.Tensor
        ``(count, 1, side * scale, side * scale)``, most similar first, without the crop of the patch itself.
    """
    lr = to_lr(photo, scale)
    rows, columns = (length - side + 1 for length in lr.shape[-2:])
    windows = F.unfold(lr, side)[0].T
    windows = windows - windows.mean(1, keepdim=True)  # ignore brightness, which back-projection corrects
    unlike = (windows - windows[top * columns + left]).square().sum(1).view(rows, columns)

    def rule_out(row: int, column: int, reach: int) -> None:
        unlike[max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1] = torch.inf

    rule_out(top, left, side - 1)
    found = []
    while len(found) < count and unlike.min() < torch.inf:
        row, column = divmod(int(unlike.argmin()), columns)
        found.append(_piece(photo, row, column, side, scale))
        rule_out(row, column, side // 2 - 1)
    pieces = torch.cat(found)
    wanted = to_lr(_piece(photo, top, left, side, scale), scale)
    for _ in range(CORRECTIONS):
        pieces = pieces + F.interpolate(wanted - to_lr(pieces, scale), scale_factor=scale, mode="bicubic")
    return pieces


def _piece(photo: torch.Tensor, top: int, left: int, side: int, scale: int) -> torch.Tensor:
    return photo[..., top * scale : (top + side) * scale, left * scale : (left + side) * scale]
