"""The exercise of lab 05 about fine detail that is in the right place: the error of the local energy."""

import torch
import torch.nn.functional as F

from srlab.data.images import luma, quantize
from srlab.exercises._steps import Answer, Exercise, Wrong, compare, filled, near, sample, tensor

Pair = tuple[torch.Tensor, torch.Tensor]


def energy_error(sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
    """How far SR has another amount of fine detail than HR, place by place.

    The high-pass is the luma minus its 5x5 mean, ``F.avg_pool2d(y, 5, 1, 2, count_include_pad=False)``. Its energy map
    is the root mean square in each 16x16 block, from the top left, whole blocks only. The error is the mean absolute
    difference between the maps of SR and HR, divided by the mean of HR's. `srlab.evaluation.perception.energy_error`
    rounds to 8 bits first, and is the same otherwise.

    Parameters
    ----------
    sr, hr
        ``(N, 3, H, W)`` in [0, 1]; at least 16x16 pixels.

    Returns
    -------
    torch.Tensor
        ``(N,)``; 0 for the same energy everywhere, 1 for a picture without any detail.
    """

    def energy(image: torch.Tensor) -> torch.Tensor:
        y = luma(image)
        detail = y - F.avg_pool2d(y, 5, 1, 2, count_include_pad=False)
        return F.avg_pool2d(detail.square(), 16).sqrt()

    picture = (1, 2, 3)
    wanted = energy(hr)
    return (energy(sr) - wanted).abs().mean(picture) / wanted.mean(picture)


def _detail(image: torch.Tensor, size: int = 5, pad: str = "") -> torch.Tensor:
    y = luma(image)
    if not pad:
        return y - F.avg_pool2d(y, size, 1, size // 2, count_include_pad=False)
    if pad == "valid":
        return y[..., 2:-2, 2:-2] - F.avg_pool2d(y, 5, 1)
    return y - F.avg_pool2d(F.pad(y, (2, 2, 2, 2), pad), 5, 1)


def _map(detail: torch.Tensor, block: int = 16, stride: int | None = None, ceil: bool = False) -> torch.Tensor:
    return F.avg_pool2d(detail.square(), block, stride, ceil_mode=ceil).sqrt()


def _relative(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a - b).abs().mean() / b.mean()


_NO_LUMA = "This is measured on all three channels. Where does luma come in?"


def _channels(image: torch.Tensor) -> torch.Tensor:
    return image - F.avg_pool2d(image, 5, 1, 2, count_include_pad=False)


def _by_channel(sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
    a, b = _map(_channels(sr)), _map(_channels(hr))
    return (a - b).abs().mean((2, 3)) / b.mean((2, 3))


def _mistakes(sr: torch.Tensor, hr: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
    """Hints and the values that they belong to, for one pair."""
    x, y = _detail(sr), _detail(hr)
    a, b = _map(x), _map(y)
    squared = "The energies are mean squares, in which the strongest blocks drown the others. Is a root missing?"
    pixels = (
        "The fine detail is compared pixel by pixel. A texture that is right but lies one pixel aside then counts as "
        "wrong, and no detail at all is better; compare how much there is in each block."
    )
    unscaled = "The error is not divided by anything, so it is small for any picture with little detail."
    whole = (
        "The energy of the whole picture is compared: detail in the wrong place makes up for detail that is missing."
    )
    signed = (
        "Blocks with too much detail make up for blocks with too little. What should be done to each difference before "
        "the mean is taken?"
    )
    border = (
        "The values differ at the border of the image only. What does your 5x5 mean take for the pixels beyond it? The "
        "text leaves them out of the mean."
    )
    root = (
        "The difference is taken before the root. Finish the map of each image first, root and all; then compare them."
    )
    early = (
        "SR and HR are subtracted before the energy of each is known, so texture that is right but lies one pixel "
        "aside counts as wrong. Make the map of each image first; then compare two maps."
    )
    averaged = "In each block the mean is taken before the square, and a mean of ups and downs is next to nothing."
    p, q = (F.avg_pool2d(z, 16).abs() for z in (x, y))
    deviation = (
        "A block's own mean is taken away in it, so these are standard deviations. The 5x5 mean is gone already."
    )
    squares = (a.square() - b.square()).abs()
    powers = "The differences were squared. Here their absolute values are averaged."
    related = "That is a correlation. It falls for true texture that lies a pixel aside as it does for noise."
    correlation = (x * y).mean() / (x.square().mean() * y.square().mean()).sqrt()
    return [
        (squared, _relative(a.square(), b.square())),
        (root, squares.sqrt().mean() / b.mean()),
        (root, squares.mean().sqrt() / b.mean()),
        (root, _relative(a.square(), b.square()).sqrt()),
        (root, squares.mean() / b.mean()),
        (early, _map(x - y).mean() / b.mean()),
        (early, _map(luma(sr) - luma(hr)).mean() / b.mean()),
        (early, _map(_channels((luma(sr) - luma(hr)).abs())).mean() / b.mean()),
        (averaged, _relative(p, q)),
        (deviation, _relative((a.square() - p.square()).sqrt(), (b.square() - q.square()).sqrt())),
        (averaged, _relative(p.square(), q.square())),
        (pixels, _relative(x.abs(), y.abs())),
        (pixels, (x - y).abs().mean() / y.abs().mean()),
        (pixels, (x - y).square().mean().sqrt() / y.square().mean().sqrt()),
        (pixels, (x - y).abs().mean()),
        (
            "The absolute detail was averaged in each block. Energy is a root mean square.",
            _relative(F.avg_pool2d(x.abs(), 16), F.avg_pool2d(y.abs(), 16)),
        ),
        (whole, _relative(x.square().mean().sqrt(), y.square().mean().sqrt())),
        (whole, a.mean() / b.mean()),
        (whole, (x.square().mean() / y.square().mean()).sqrt()),
        (signed, (a - b).mean() / b.mean()),
        (signed, (a - b).mean().abs() / b.mean()),
        (unscaled, (a - b).abs().mean()),
        (
            "The error is divided by the energy of SR. Then more detail looks better, whatever it is.",
            (a - b).abs().mean() / a.mean(),
        ),
        (
            "Each block was divided by its own energy, so flat blocks, where there is next to nothing, count most.",
            ((a - b).abs() / b).mean(),
        ),
        (powers, (a - b).square().mean() / b.mean()),
        (powers, (a - b).square().mean().sqrt() / b.mean()),
        *(
            (border, _relative(_map(_detail(sr, pad=p)), _map(_detail(hr, pad=p))))
            for p in ("constant", "reflect", "replicate", "valid")
        ),
        *(
            (
                "The mean that is taken away should run over 5x5 pixels.",
                _relative(_map(_detail(sr, size)), _map(_detail(hr, size))),
            )
            for size in (3, 7, 9)
        ),
        *(
            (
                f"The blocks have {size}x{size} pixels, but should have 16x16.",
                _relative(_map(x, size), _map(y, size)),
            )
            for size in (4, 5, 8, 32)
        ),
        (
            "The blocks overlap. Each pixel belongs to one block; what is the stride?",
            _relative(_map(x, 16, 1), _map(y, 16, 1)),
        ),
        (
            "Blocks that are cut off at the border count as well. Leave them out.",
            _relative(_map(x, ceil=True), _map(y, ceil=True)),
        ),
        (_NO_LUMA, _relative(*(_map(_channels(image)) for image in (sr, hr)))),
        (_NO_LUMA, _by_channel(sr, hr).mean()),
        (
            "The mean of R, G and B is no luma: the eye sees green as much brighter than blue.",
            _relative(*(_map(_channels(image.mean(1, keepdim=True))) for image in (sr, hr))),
        ),
        (related, correlation),
        (related, 1 - correlation),
        (
            "Nothing was taken away from the luma, so its brightness counts as energy.",
            _relative(_map(luma(sr)), _map(luma(hr))),
        ),
    ]


def _picture(height: int, width: int) -> torch.Tensor:
    """An image in [0.15, 0.85] with texture that is strong at the left and weak at the right, over slow waves."""
    strength = torch.linspace(0.2, 0.05, width)
    waves = 0.1 * torch.linspace(0, 9, height).sin()[:, None]
    colors = torch.tensor([1.0, 0.8, 0.6]).view(3, 1, 1)
    return 0.5 + waves + colors * strength * sample(1, 3, height, width, low=-1)


def _misplaced(height: int, width: int) -> Pair:
    """SR with the detail of HR at the left faded, and other detail at the right."""
    hr = _picture(height, width)
    faded = torch.linspace(0.3, 1.0, width)
    sr = 0.5 + faded * (hr - 0.5) + 0.1 * (1 - faded.flip(0)) * sample(1, 3, height, width, low=-1, seed=1)
    # On levels, so that an answer that rounds, as srlab.evaluation.perception.energy_error does, is right too.
    return quantize(sr), quantize(hr)


def _step(height: int, width: int, otherwise: str) -> Answer:
    def step(answer: Answer) -> None:
        sr, hr = _misplaced(height, width)
        result = filled(answer(sr.clone(), hr.clone()))
        if isinstance(result, torch.Tensor) and result.numel() == 3 and near(result.flatten(), _by_channel(sr, hr)[0]):
            raise Wrong(_NO_LUMA)
        result = tensor(result, (), "One picture has one error: is a mean missing?")
        compare(result, energy_error(sr, hr)[0], _mistakes(sr, hr), otherwise, tolerance=2e-5)

    return step


def _batch(answer: Answer) -> None:
    sr, hr = _misplaced(48, 64)
    share = torch.tensor([1.0, 0.5, 0.2]).view(3, 1, 1, 1)  # of the mistakes; and the three HR differ in strength
    sr, hr = hr + share * (sr - hr), hr.repeat(3, 1, 1, 1)
    sr, hr = (quantize(0.5 + torch.tensor([1.0, 0.7, 1.3]).view(3, 1, 1, 1) * (image - 0.5)) for image in (sr, hr))
    wanted = energy_error(sr, hr)
    result = filled(answer(sr.clone(), hr.clone()))
    if isinstance(result, float) or (isinstance(result, torch.Tensor) and result.ndim == 0):
        if near(result, wanted[0]):
            raise Wrong("For a batch of three pictures one number came, that of the first. What became of the others?")
        raise Wrong(
            "For a batch of three pictures one number came: they were averaged. Keep them apart; over which of the "
            "dimensions of a map, (N, 1, rows, columns), should your means run?"
        )
    dimensions = "A batch of N pictures has N errors; look at the dimensions that your means run over."
    result = tensor(result, (3,), dimensions)
    gaps, energies = (torch.stack(pair) for pair in zip(*(_parts(*p) for p in zip(sr, hr, strict=True)), strict=True))
    pooled = "All errors of a batch are divided by the mean of all HR maps together. Each HR has a mean of its own."
    both = "The mean of the differences was taken over all pictures of a batch. Each picture has a mean of its own."
    mistakes = [(pooled, gaps / energies.mean()), (both, gaps.mean() / energies)]
    compare(result, wanted, mistakes, "In a batch of three pictures:", tolerance=2e-5)


def _parts(sr: torch.Tensor, hr: torch.Tensor) -> Pair:
    """What is divided, and by what, for one picture ``(3, H, W)``."""
    a, b = _map(_detail(sr[None])), _map(_detail(hr[None]))
    return (a - b).abs().mean(), b.mean()


def _ends(answer: Answer) -> None:
    hr = quantize(_picture(48, 64))
    compare(tensor(answer(hr.clone(), hr.clone()), ()), 0.0, otherwise="HR against itself:")
    flat = quantize(torch.full_like(hr, 0.5))
    signed = "A picture without detail has a negative error. Too little and too much are both wrong."
    compare(tensor(answer(flat, hr.clone()), ()), 1.0, [(signed, -1.0)], "A flat grey picture against HR:", 1e-3)


EXERCISES = {
    "evaluation.energy_error": Exercise(
        energy_error,
        (
            ("detail that is missing here and too much there", _step(48, 64, "In a picture of 48x64 pixels:")),
            ("a picture that is no whole number of blocks", _step(40, 56, "In a picture of 40x56 pixels:")),
            ("one error for each picture of a batch", _batch),
            ("0 for HR itself, 1 for a flat picture", _ends),
        ),
        "medium",
        (
            "Make the map of energies for one image first, in a small function of its own; then compare two maps.",
            "F.avg_pool2d(x, 16) is the mean in blocks of 16x16. Of what, and what is done to it afterwards?",
        ),
    ),
}
