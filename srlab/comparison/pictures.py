"""What a comparison is made of: pictures that are checked, magnified, encoded and scored."""

import io
from collections.abc import Mapping

import torch
from PIL import Image

from srlab.errors import SrlabError
from srlab.images import to_float, to_uint8
from srlab.metrics import Protocol, psnr


def checked(images: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Each picture as it came, checked, on the CPU, without the batch dimension."""
    if len(images) < 2:
        raise SrlabError(f"A comparison needs at least two pictures, but got {len(images)}.")
    pictures = {}
    for label, image in images.items():
        if not isinstance(label, str) or not label.strip():
            raise SrlabError(f"Pictures are compared by their labels, but {label!r} is no text.")
        picture = image[0] if image.ndim == 4 and len(image) == 1 else image
        if picture.ndim != 3 or len(picture) not in (1, 3) or not picture.numel():
            raise SrlabError(
                f"'{label}' has shape {tuple(image.shape)}; a picture is (3, H, W), (1, 3, H, W) or (1, H, W)."
            )
        if picture.is_floating_point() and not picture.isfinite().all():
            raise SrlabError(f"'{label}' contains NaN or infinity, so there is nothing to show.")
        if not picture.is_floating_point() and picture.dtype != torch.uint8:
            raise SrlabError(f"'{label}' holds {picture.dtype}; a picture is float in [0, 1] or uint8.")
        pictures[label] = picture.detach().cpu()
    return pictures


def magnify(label: str, picture: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Repeat the pixels of ``(C, h, w)`` so that it has `size`, which must be a whole multiple."""
    (height, width), (rows, columns) = picture.shape[-2:], size
    factor = rows // height
    if (height * factor, width * factor) != (rows, columns):
        raise SrlabError(
            f"'{label}' has {width}x{height} pixels and the largest picture {columns}x{rows}, which is no whole "
            "multiple of it; crop them to the same part."
        )
    return picture.repeat_interleave(factor, -2).repeat_interleave(factor, -1)


def encode(picture: torch.Tensor, effort: int) -> bytes:
    """Encode ``(C, H, W)`` as lossless WebP; effort 0 takes milliseconds, 4 tenths of a second, 6 seconds."""
    pixels = to_uint8(picture).expand(3, -1, -1).permute(1, 2, 0).numpy()
    file = io.BytesIO()
    try:
        quality = 0 if effort == 0 else 100
        Image.fromarray(pixels).save(file, "WEBP", lossless=True, quality=quality, method=effort, exact=True)
    except (OSError, ValueError) as error:  # WebP ends at 16383 pixels a side
        height, width = picture.shape[-2:]
        raise SrlabError(f"A picture of {width}x{height} pixels is too large to show; crop it.") from error
    return file.getvalue()


def score_texts(
    pictures: Mapping[str, torch.Tensor], scores: str | None, reference: str, protocol: Protocol
) -> dict[str, str]:
    """PSNR against the reference as text, for each picture of its size."""
    if scores not in ("psnr", None):
        raise SrlabError(f"Unknown scores '{scores}'; give 'psnr', None, or a text for each label.")
    if scores is None or reference not in pictures:
        return {}
    floats = {label: to_float(picture).float() for label, picture in pictures.items()}
    if len({len(picture) for picture in floats.values()}) > 1:  # grey beside RGB
        floats = {label: picture.expand(3, -1, -1) for label, picture in floats.items()}
    target = floats.pop(reference)
    return {
        label: decibels(float(psnr(picture, target, protocol)))
        for label, picture in floats.items()
        if picture.shape == target.shape
    }


def decibels(value: float) -> str:
    """A PSNR as it stands beside a label."""
    return f"{value:.2f} dB" if value < float("inf") else "identical"


def size_note(picture: torch.Tensor, size: tuple[int, int]) -> str:
    """Say of a smaller picture how small it is."""
    height, width = picture.shape[-2:]
    return "" if height == size[0] else f"{width}×{height} pixels, ×{size[0] // height}"
