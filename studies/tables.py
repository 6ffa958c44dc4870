"""Numbers of several seeds as text, and Markdown tables."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from srlab.base.text import in_markdown

DIGITS = {"psnr_rgb": 2, "psnr_y": 2, "psnr": 2, "colour_shift": 2}  # of other measures, four for SSIM and three else


def interval(values: Sequence[float]) -> float:
    """Half of the 95 % interval of the mean (Student's t over the seeds); NaN for less than two values."""
    if len(values) < 2:
        return math.nan
    from scipy.stats import t

    return float(t.ppf(0.975, len(values) - 1) * pd.Series(values).std() / math.sqrt(len(values)))


def number(values: Iterable[float], digits: int = 3) -> str:
    """The mean of one number per seed as a table shows it: ``1.20 ± 0.10 (n=3)``, ``1.20``, or a dash."""
    values = [value for value in values if not pd.isna(value)]
    if not values:
        return "-"
    mean = f"{sum(values) / len(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {interval(values):.{digits}f} (n={len(values)})"


def digits(metric: str) -> int:
    """Decimals of a measure."""
    return DIGITS.get(metric, 4 if "ssim" in metric else 3)


def markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(map(in_markdown, line)) + " |" for line in [head, ["---"] * len(head), *lines])


def pictures(drawn: Iterable[tuple[Path, str]], folder: Path) -> list[str]:
    """Markdown of figures with their captions."""
    captions = ((file, in_markdown(caption)) for file, caption in drawn)
    return [f"![{caption}]({folder.name}/{file.name})\n\n*{caption}*" for file, caption in captions]


def command(study: str, preset: str, given: dict[str, str | list[str]]) -> str:
    """What was typed to run a study, with paths without the folders of the machine."""
    words = [f"--{key} {_names(value)}" for key, value in given.items()]
    return " ".join(["python", *study.split(), preset, *words])


def _names(value: str | list[str]) -> str:
    return ",".join(Path(part).name for part in ([value] if isinstance(value, str) else value))
