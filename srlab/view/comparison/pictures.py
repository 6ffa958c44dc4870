"""What a comparison is made of: pictures that are checked, magnified, encoded and scored."""

import io
import os
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path

import torch
from PIL import Image

from srlab.base.errors import SrlabError
from srlab.data.images import to_float, to_uint8
from srlab.evaluation import perception
from srlab.evaluation.metrics import Protocol, psnr

KNOWN_SCORES = ("psnr", "lpips")


def checked(images: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Each picture as it came, checked, on the CPU, without the batch dimension."""
    if not isinstance(images, Mapping):
        raise SrlabError(f"Pictures come with their labels, as {{'SR': sr, 'HR': hr}}, and not as {_kind(images)}.")
    if len(images) < 2:
        raise SrlabError(f"A comparison needs at least two pictures, but got {len(images)}.")
    return {label: check_picture(label, image) for label, image in images.items()}


def check_picture(label: str, image: torch.Tensor) -> torch.Tensor:
    """One picture as it came, ``(C, H, W)`` on the CPU; refuses what would be shown wrongly or not at all."""
    if not isinstance(label, str) or not label.strip():
        raise SrlabError(f"Pictures are compared by their labels, but {label!r} is no text.")
    if not isinstance(image, torch.Tensor):
        raise SrlabError(f"'{label}' is {_kind(image)}; a picture is a torch tensor (3, H, W), as read_image gives it.")
    picture = image[0] if image.ndim == 4 and len(image) == 1 else image
    if picture.ndim != 3 or len(picture) not in (1, 3) or not picture.numel():
        raise SrlabError(
            f"'{label}' has shape {tuple(image.shape)}; a picture is (3, H, W), (1, 3, H, W) or (1, H, W)."
        )
    picture = picture.detach().cpu()
    if not picture.is_floating_point():
        if picture.dtype != torch.uint8:
            raise SrlabError(f"'{label}' holds {picture.dtype}; a picture is float in [0, 1] or uint8.")
        return picture
    if not picture.isfinite().all():
        raise SrlabError(f"'{label}' contains NaN or infinity, so there is nothing to show.")
    if picture.max() > 2:  # an SR may overshoot 1 a little, and what it overshoots is cut off
        raise SrlabError(
            f"'{label}' has values up to {float(picture.max()):g}, but a float picture is shown in [0, 1]; "
            "divide 8-bit levels by 255."
        )
    return picture


def _kind(value: object) -> str:
    """What something is, for a message."""
    return "None" if value is None else f"a {type(value).__module__}.{type(value).__qualname__}"


def full_size(pictures: Mapping[str, torch.Tensor]) -> tuple[int, int]:
    """(height, width) of the largest picture."""
    height, width = max((picture.shape[-2:] for picture in pictures.values()), key=lambda shape: shape[0] * shape[1])
    return height, width


def output_path(path: str | os.PathLike, endings: tuple[str, ...], overwrite: bool) -> Path:
    """The path to write to; refuses another ending than these, and a file that is there unless told to replace it.

    Parameters
    ----------
    path
        As the reader gave it.
    endings
        Those that fit what will be in the file.
    overwrite
        A file that is there may be replaced.

    Raises
    ------
    SrlabError
        Another ending, or a file that is there.
    """
    path = Path(path)
    if path.suffix.lower() not in endings:
        raise SrlabError(f"{path} does not end in {' or '.join(endings)}, and that is what would be in it; rename it.")
    if path.exists() and not overwrite:
        raise SrlabError(f"{path} is there already; give another name, or overwrite=True.")
    return path


def magnify(label: str, picture: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Repeat the pixels of ``(C, h, w)`` so that it has `size`, which must be a whole multiple.

    Parameters
    ----------
    label
        Its name, for the message.
    picture
        ``(C, h, w)``.
    size
        (height, width) in pixels.

    Raises
    ------
    SrlabError
        The size is no whole multiple.
    """
    (height, width), (rows, columns) = picture.shape[-2:], size
    factor = rows // height
    if (height * factor, width * factor) != (rows, columns):
        raise SrlabError(
            f"'{label}' has {width}x{height} pixels and the largest picture {columns}x{rows}, which is no whole "
            "multiple of it; crop them to the same part."
        )
    return picture.repeat_interleave(factor, -2).repeat_interleave(factor, -1)


def encode(picture: torch.Tensor, effort: int) -> bytes:
    """Encode ``(C, H, W)`` as WebP without loss; effort 0 takes milliseconds, 4 tenths of a second, 6 many seconds."""
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
    pictures: Mapping[str, torch.Tensor],
    scores: str | Sequence[str] | Mapping[str, object] | None,
    reference: str,
    protocol: Protocol,
) -> dict[str, str]:
    """The text beside each label: scores of the pictures of the reference's size, or what the reader gave.

    Parameters
    ----------
    pictures
        Label -> ``(C, H, W)``.
    scores
        Names in `KNOWN_SCORES`, or label -> text or number, or None.
    reference
        Label of the picture that the others are scored against.
    protocol
        Of PSNR.

    Raises
    ------
    SrlabError
        An unknown score, or one that is neither text nor number.
    """
    if isinstance(scores, Mapping):
        return {label: _own_text(label, value) for label, value in scores.items()}
    names = (scores,) if isinstance(scores, str) else scores or ()
    unknown = [name for name in names if name not in KNOWN_SCORES] if isinstance(names, Sequence) else [scores]
    if unknown:
        raise SrlabError(f"Unknown scores '{unknown[0]}'; give 'psnr', 'lpips', both, None, or a text for each label.")
    if not names or reference not in pictures:
        return {}
    floats = {label: to_float(picture).float() for label, picture in pictures.items()}
    if len({len(picture) for picture in floats.values()}) > 1:  # grey beside RGB
        floats = {label: picture.expand(3, -1, -1) for label, picture in floats.items()}
    target = floats.pop(reference)
    rivals = {label: picture for label, picture in floats.items() if picture.shape == target.shape}
    texts = [
        (_psnr_texts if name == "psnr" else _lpips_texts)(rivals, target, protocol) for name in dict.fromkeys(names)
    ]
    joined = {label: ", ".join(each[label] for each in texts if label in each) for label in rivals}
    return {label: text for label, text in joined.items() if text}


def _own_text(label: str, value: object) -> str:
    if isinstance(value, torch.Tensor) and value.numel() == 1:
        value = value.item()
    if isinstance(value, Real):
        return str(value) if isinstance(value, Integral) else f"{float(value):.4g}"
    if not isinstance(value, str):
        raise SrlabError(f"The score of '{label}' is {_kind(value)}; give a text or a number.")
    return value


def _psnr_texts(rivals: Mapping[str, torch.Tensor], target: torch.Tensor, protocol: Protocol) -> dict[str, str]:
    if min(target.shape[-2:]) <= 2 * protocol.crop:  # too small to score is no reason not to show it
        return {}
    return {label: decibels(float(psnr(picture, target, protocol))) for label, picture in rivals.items()}


def _lpips_texts(rivals: Mapping[str, torch.Tensor], target: torch.Tensor, _: Protocol) -> dict[str, str]:
    """The protocol has no part in it: LPIPS looks at the whole picture in RGB."""
    if not rivals or min(target.shape[-2:]) < perception.LPIPS_SIDE:
        return {}
    network = perception.load_lpips("auto")
    if network is None:  # load_lpips has said so
        return {}
    return {label: f"LPIPS {float(perception.lpips(p, target, network)):.3f}" for label, p in rivals.items()}


def decibels(value: float) -> str:
    """A PSNR as it stands beside a label."""
    return f"{value:.2f} dB" if value < float("inf") else "identical"


def size_note(picture: torch.Tensor, size: tuple[int, int]) -> str:
    """Say of a smaller picture how small it is."""
    height, width = picture.shape[-2:]
    return "" if height == size[0] else f"{width}×{height} pixels, ×{size[0] // height}"
