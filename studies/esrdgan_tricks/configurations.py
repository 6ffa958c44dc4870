"""The rows of the study: an ESRDGAN trick, what it changes in lab 04, and ESRDGAN's verdict."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srlab.errors import SrlabError
from studies import presets

HERE = Path(__file__).parent
LAB = "04_esrgan"
PRESET_KEYS = {"seeds", "rows", "tricks", "parameters", "scored", "main", "benchmarks", "threads", "gpu", "needs"}
COMMON = {"recipe": "photos"}  # lab 04 on a laptop with photos of many kinds, for all that a preset does not set
FROM_LAB = ("iters", "pretrain_iters", "features", "ema")  # rows depend on these, or the lab derives them from `iters`
# Parameters of lab 04's second stage: rows that differ only in these have the same PSNR stage.
GAN_STAGE = {"iters", "features", "backbone", "relative", "max_shift", "pixel", "pixel_weight", "content_weight"}
GAN_STAGE |= {"adversarial_weight", "gan", "discriminator", "d_features", "learning_rate", "discriminator_rate"}
GAN_STAGE |= {
    "betas",
    "ema",
    "milestones",
    "label_real",
    "label_flip",
    "instance_noise",
    "instance_noise_until",
    "g_every",
}


def share(*shares: float) -> Callable[[dict[str, Any]], int | list[int]]:
    """Return a function that computes steps as shares of the preset's: a number, or a list of several."""

    def steps(recipe: dict[str, Any]) -> int | list[int]:
        found = [max(1, round(part * recipe["iters"])) for part in shares]
        return found[0] if len(found) == 1 else found

    return steps


def also(layer: str) -> Callable[[dict[str, Any]], str]:
    """Return a function that adds a layer before those of the preset's content loss."""

    def layers(recipe: dict[str, Any]) -> str:
        network, *others = recipe["features"].split()
        return " ".join([network, layer, *others])

    return layers


@dataclass(frozen=True)
class Trick:
    """A change of the preset's recipe.

    Attributes
    ----------
    changes
        Parameters of lab 04 and their values; a function computes the value from the preset's parameters.
    verdict
        ``"helped"`` or ``"did not help"`` if it is in ESRDGAN's list, or its other relation to ESRDGAN.
    caution
        Side effects, for the report.
    """

    changes: dict[str, Any]
    verdict: str = "not in its list"
    caution: str = ""


HELPED, DID_NOT = "helped", "did not help"
HALF = "The average loss is a sum of two halves and this loss has one, so D's pull is about half at the same weight."
SUM = "The content loss is a sum over layers, so with two it weighs about twice as much."
TRICKS = {
    "base": Trick({}),
    "instance noise": Trick({"instance_noise": 1.0, "instance_noise_until": 0.6}, HELPED),
    "smooth labels": Trick({"label_real": 0.9}, HELPED),
    "G every 2nd step": Trick({"g_every": 2}, HELPED, "G has half as many updates."),
    "rgan": Trick({"gan": "rgan"}, HELPED, HALF),
    "more features in G": Trick({"num_features": 48, "growth": 24}, HELPED),
    "more features in D": Trick({"d_features": 48}, HELPED),
    "longer": Trick({"iters": share(3)}, HELPED),
    "flipped labels": Trick({"label_flip": 0.1}, DID_NOT),
    "LR noise": Trick({"image_noise": [0.01, 0.01]}, DID_NOT),
    "nearest LR": Trick({"downsampler": "nearest"}, DID_NOT),
    "low features": Trick({"features": also("conv1_2")}, DID_NOT, SUM),
    "aliased cubic LR": Trick({"downsampler": "bicubic-aliased"}, "its own LR"),
    "no PSNR stage": Trick({"pretrain_iters": 0}, "its choice, and its first weakness, it says"),
    "halved rates": Trick({"milestones": share(0.1, 0.2, 0.3, 0.4)}, "its own schedule"),
    "vanilla": Trick({"gan": "vanilla"}, caution=HALF),
    "no D": Trick({"adversarial_weight": 0.0}),
}
TOGETHER = "all that helped"  # except "longer", so that the difference is not due to length


@dataclass(frozen=True)
class Row:
    """One training run: a trick (a name in `TRICKS`, or `TOGETHER`) and a seed."""

    trick: str
    seed: int

    @property
    def name(self) -> str:
        """Name of the row, its files and its run."""
        return f"{re.sub(r'[^a-z0-9]+', '-', self.trick.lower())}-seed{self.seed}"


def read_preset(name: str, **given: Any) -> dict[str, Any]:
    """Read ``<name>.yaml`` in this folder, see `studies.presets.read_preset`.

    Entries of `FROM_LAB` that it does not set are those of lab 04.
    """
    preset = presets.read_preset(HERE, PRESET_KEYS, name, **given)
    lab = presets.defaults_of(HERE.parents[1] / "notebooks" / f"{LAB}.ipynb", COMMON["recipe"])
    preset["parameters"] = {key: lab[key] for key in FROM_LAB} | preset["parameters"]
    if unknown := [trick for trick in preset.get("tricks", {}) if trick not in TRICKS]:
        raise SrlabError(f"Preset '{name}' changes '{unknown[0]}', which is not a trick. Choose from {_names()}.")
    return preset


def rows(preset: dict[str, Any]) -> list[Row]:
    """Return all rows of a preset, the base first; without the base there is nothing to compare with."""
    wanted = preset.get("rows", [*TRICKS, TOGETHER])
    if unknown := [trick for trick in wanted if trick not in (*TRICKS, TOGETHER)]:
        raise SrlabError(f"The preset lists '{unknown[0]}', which is not a row. Choose from {_names()}.")
    if "base" not in wanted:
        raise SrlabError("The preset has no row 'base'. Add it, because all other rows are compared with it.")
    return [Row(trick, seed) for trick in (*TRICKS, TOGETHER) if trick in wanted for seed in preset["seeds"]]


def _names() -> str:
    return ", ".join((*TRICKS, TOGETHER))


def trick_of(name: str) -> Trick:
    """Return the trick of a row, also for all that helped together."""
    if name != TOGETHER:
        return TRICKS[name]
    return Trick({}, HELPED, "Six changes at once, at the length of the base.")


def changes(name: str, preset: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of lab 04 that differ from the base; a preset may override their values."""
    if name == TOGETHER:
        parts = [trick for trick, known in TRICKS.items() if known.verdict == HELPED and trick != "longer"]
        return {key: value for trick in parts for key, value in changes(trick, preset).items()}
    found = TRICKS[name].changes | preset.get("tricks", {}).get(name, {})
    recipe = preset["parameters"]
    return {key: value(recipe) if callable(value) else value for key, value in found.items()}


def parameters(row: Row, preset: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters that papermill passes to lab 04 for a row."""
    return COMMON | preset["parameters"] | changes(row.trick, preset) | {"run": row.name, "seed": row.seed}


def leader(row: Row, preset: dict[str, Any]) -> Row | None:
    """Return the row to train first, because lab 04 uses its PSNR stage for this row; None if there is none."""
    if parameters(row, preset)["pretrain_iters"] == 0:
        return None
    first = next(other for other in rows(preset) if other.seed == row.seed and _begins_like(other, row, preset))
    return None if first == row else first


def _begins_like(one: Row, other: Row, preset: dict[str, Any]) -> bool:
    first, second = (
        {key: value for key, value in changes(row.trick, preset).items() if key not in GAN_STAGE}
        for row in (one, other)
    )
    return first == second


def degradation(found: dict[str, Any]) -> dict[str, Any]:
    """Return the degradation of a row's training, for `srlab.Degradation`; empty for plain bicubic."""
    names = {"method": "downsampler", "blur": "blur", "noise": "image_noise", "jpeg": "jpeg"}
    made = {key: found[name] for key, name in names.items() if name in found}
    return {key: value for key, value in made.items() if value not in ("bicubic", [0.0, 0.0], [0, 0])}


def degradations(preset: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all degradations in a preset, plain bicubic first; the base is scored on each of them."""
    found: list[dict[str, Any]] = [{}]
    for row in rows(preset):
        made = degradation(parameters(row, preset))
        found += [made] if made not in found else []
    return found
