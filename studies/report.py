"""Parts of every report: numbers over several seeds as text, tables, and a page with figures."""

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd

from srlab.evaluation.catalog import METRICS
from srlab.files import write_atomic
from srlab.text import escaped
from srlab.training.settings import environment
from srlab_course.figures import plots
from srlab_course.layout import in_markdown


class Page:
    """A Markdown page that is built part by part, with its figures.

    Attributes
    ----------
    parts
        Headings, paragraphs and tables in order.
    figures
        File name -> PNG; they go into the folder ``figures`` next to the page.
    """

    def __init__(self) -> None:
        mpl.use("Agg")  # without a screen
        self.parts: list[str] = []
        self.figures: dict[str, bytes] = {}

    def add(self, *parts: str) -> None:
        """Append parts."""
        self.parts += parts

    def table(self, head: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
        """Append a table."""
        self.add(markdown(head, lines))

    def keep(self, name: str, figure: plt.Figure) -> None:
        """Save a figure with the page without showing it."""
        self.figures[name] = plots.rendered(figure)

    def figure(self, name: str, figure: plt.Figure, caption: str) -> None:
        """Append a figure and its caption."""
        self.keep(name, figure)
        self.add(f"![{escaped(caption)}](figures/{name})\n\n*{in_markdown(caption)}*")

    @property
    def text(self) -> str:
        """The whole page."""
        return "\n\n".join(self.parts) + "\n"

    def write(self, target: Path) -> None:
        """Write the page, and its figures next to it."""
        for name, png in self.figures.items():
            write_atomic(target.parent / "figures" / name, png)
        write_atomic(target, self.text.encode())
        print(f"The report: {target}")


def interval(values: Sequence[float]) -> float:
    """Return half of the 95 % interval of the mean (Student's t over the seeds); NaN for fewer than two values."""
    if len(values) < 2:
        return math.nan
    from scipy.stats import t

    return float(t.ppf(0.975, len(values) - 1) * pd.Series(values).std() / math.sqrt(len(values)))


def number(values: Iterable[float], digits: int = 3) -> str:
    """Return the mean of one number per seed for a table: ``1.20 ± 0.10 (n=3)``, ``1.20`` for one seed, or a dash.

    An interval that rounds to 0 is left out, as in ``0.00 (n=3, all alike)``, because the spread is not exactly 0.
    """
    values = [value for value in values if not pd.isna(value)]
    if not values:
        return "-"
    shown = spread(values, digits)
    if len(values) == 1:
        return shown
    return f"{shown} (n={len(values)})" if "±" in shown else f"{shown} (n={len(values)}, all alike)"


def spread(values: Sequence[float], digits: int) -> str:
    """Return the mean of one number per seed, and half of its interval unless that rounds to 0: ``1.20 ± 0.10``."""
    mean, half = (f"{value:.{digits}f}" for value in (sum(values) / len(values), interval(values)))
    return f"{mean} ± {half}" if len(values) > 1 and float(half) else mean


def digits(metric: str) -> int:
    """Return the decimals of a measure; ``ms_ssim_rgb`` has those of ``ssim``."""
    name = re.sub(r"^ms_|_(rgb|y)$", "", metric)
    return METRICS[name].digits if name in METRICS else 3


def numbers(rows: pd.DataFrame, metrics: Iterable[str]) -> list[str]:
    """Return table cells: each of the measures, over rows that differ in their seed."""
    return [number(rows[metric], digits(metric)) for metric in metrics]


def markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    return "\n".join("| " + " | ".join(map(in_markdown, line)) + " |" for line in [head, ["---"] * len(head), *lines])


def features(rows: pd.DataFrame) -> str:
    """Return the features of rows with the kind of weights, such as ``vgg19 conv2_2 (random)``, each once."""
    return "<br>".join(dict.fromkeys(rows["backbone"].dropna().astype(str))) or "-"


def random_features(rows: pd.DataFrame) -> str:
    """Return how many rows used trained features, and what can be concluded from that."""
    random, real = (int(rows["real"].eq(kind).sum()) for kind in (False, True))
    text = f"**Features: {real} rows used trained features, {random} random ones, "
    text += f"{len(rows) - real - random} none.** Every table shows which."
    if random:
        text += (
            " Random features have the architecture of a network but nothing it has learned, so no comparison of "
            "feature networks is based on them."
        )
    return text


def broke_down(lost: pd.DataFrame) -> list[str]:
    """Return the section about the rows without scores, or an empty list."""
    if lost.empty:
        return []
    lines = lost.sort_values("row")[["row", "lost"]].astype(str).to_numpy().tolist()
    return [
        "## Rows that broke down",
        "The training of these rows broke down, so they have no scores. This is a result too.",
        markdown(["row", "error"], lines),
    ]


def made_by(study: str, about: dict[str, Any], rows: pd.DataFrame) -> str:
    """Return the command and the versions that made the report, with paths shortened to their last part."""
    words = [f"--{key} {_names(value)}" for key, value in about["given"].items()]
    typed, made = " ".join(["python", study, about["preset"], *words]), environment()
    return in_markdown(
        f"Made by `{typed}` with srlab {made['versions']['srlab']}, torch {made['versions']['torch']}, git "
        f"{made['git'] or 'unknown'}; {len(rows)} rows"
    )


def _names(value: str | list[str]) -> str:
    return ",".join(Path(part).name for part in ([value] if isinstance(value, str) else value))
