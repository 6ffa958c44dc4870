"""The tables of the report, computed from scores that are means over the images."""

from collections.abc import Sequence

import pandas as pd

from studies.report import digits, features, markdown, number, numbers

from . import published
from .configurations import CONTENT, EPOCHS, LOSSES, VARIANTS

TITLES = {
    "gradient_ratio": "Gradient magnitude relative to HR",
    "energy_error": "Error of the local energy map",
    "psnr": "PSNR in dB on Y, crop 4",
    "ssim": "SSIM on Y, crop 4",
    "checkerboard": "Checkerboard",
    "color_shift": "Color shift in 8-bit levels",
    "saturation_ratio": "Saturation relative to HR",
    "psnr_rgb": "PSNR in dB on RGB",
    "ms_ssim_rgb": "MS-SSIM on RGB",
}
METHODS = [(method, epochs) for method, lengths in EPOCHS.items() for epochs in lengths]
RGB = ("psnr_rgb", "ssim_rgb", "ms_ssim_rgb")
ROW = ["row", "lab", "run", "variant", "method", "loss", "epochs", "seed", "backbone", "real", "network"]
ROW += ["discriminator", "iters", "wall_time_s", "set"]

# Claim -> pairs of a row and the row to compare it with; and the measures with the claimed sign of the difference, 0
# for a claim about sizes.
FIDELITY = dict.fromkeys(RGB, 1)
CLAIMS = {
    "Content losses give finer texture than MSE.": (
        [((v, "SRResNet", 250, c), (v, "SRResNet", 250, "MSE")) for v in VARIANTS for c in CONTENT],
        {"gradient_ratio": 1, "energy_error": -1},
    ),
    "A hybrid has higher PSNR and SSIM than only MSE.": (
        [((v, *m, f"hybrid {c}"), (v, *m, "MSE")) for v in VARIANTS for m in METHODS for c in CONTENT],
        FIDELITY,
    ),
    "The GAN raises PSNR and SSIM. (As coded, no gradient of D reaches G, and G started from the weights of MSE.)": (
        [
            ((v, "SRGAN", e, loss), (v, "SRResNet", 250, loss))
            for v in VARIANTS
            for e in EPOCHS["SRGAN"]
            for loss in ("MSE", *CONTENT)
        ],
        FIDELITY,
    ),
    "The content loss matters more than the GAN. (Compare the sizes of the differences.)": (
        [
            *((("described", "SRResNet", 250, c), ("described", "SRResNet", 250, "MSE")) for c in CONTENT),
            (("described", "SRGAN", 100, "MSE"), ("described", "SRResNet", 250, "MSE")),
        ],
        {"psnr_rgb": 0},
    ),
    "Open question: does the VGG loss desaturate colors more than the ResNet loss?": (
        [
            ((v, "SRResNet", 250, c), (v, "SRResNet", 250, "VGG19_5_4"))
            for v in VARIANTS
            for c in CONTENT
            if c.startswith("Res")
        ],
        {"saturation_ratio": 1},
    ),
}


def means_of(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the means over the images of each set, ignoring NaN: a line per row and set."""
    scores = scores.reindex(columns=[*dict.fromkeys([*ROW, *scores.columns])])
    return scores.drop(columns=["image", "lr"]).groupby([*ROW], sort=False, dropna=False, as_index=False).mean()


def select(means: pd.DataFrame, **wanted: object) -> pd.DataFrame:
    """Return the lines with these values, sorted by seed."""
    for column, value in wanted.items():
        means = means[means[column] == value]
    return means.sort_values("seed")


def rows_of(means: pd.DataFrame, variant: str, method: str, epochs: int, loss: str) -> pd.DataFrame:
    """Return one row with all its seeds."""
    return select(means, variant=variant, method=method, epochs=epochs, loss=loss)


def beside_published(means: pd.DataFrame, method: str, epochs: int, name: str) -> str:
    """Return the study's table next to ours: PSNR, SSIM and MS-SSIM on RGB, one line per loss."""
    sets = [name] if name in published.BICUBIC else list(published.BICUBIC)
    head = ["loss", *(f'published {s}: PSNR / "SSIM"' for s in sets)]
    head += [f"ours, {variant}, {name}: PSNR / SSIM / MS-SSIM" for variant in VARIANTS] + ["features"]
    known = ["{:.2f} / {:.3f} / MS {:.3f} (measured here)".format(*published.BICUBIC[s]) for s in sets]
    ours = " / ".join(numbers(select(means, row="bicubic", set=name), RGB))
    lines = [["bicubic", *known, ours, ours, "-"]]
    for loss in LOSSES:
        rows = [rows_of(means[means["set"] == name], variant, method, epochs, loss) for variant in VARIANTS]
        cells = [" / ".join(numbers(each, RGB)) if len(each) else "-" for each in rows]
        theirs = [published.cell(method, epochs, s, loss) for s in sets]
        lines.append([loss, *theirs, *cells, features(pd.concat(rows))])
    return markdown(head, lines)


def over_losses(means: pd.DataFrame, metric: str) -> str:
    """Return the table of one measure for all losses, methods and variants that were trained."""
    columns = [(v, *m) for v in VARIANTS for m in METHODS]
    columns = [c for c in columns if len(select(means, variant=c[0], method=c[1], epochs=c[2]))]
    bicubic = number(select(means, row="bicubic")[metric], digits(metric))
    lines = [["bicubic", *[bicubic] * len(columns), "-"]]
    for loss in LOSSES:
        found = [rows_of(means, *column, loss) for column in columns]
        if any(map(len, found)):
            cells = (number(rows[metric], digits(metric)) for rows in found)
            lines.append([loss, *cells, features(pd.concat(found))])
    return markdown(["loss", *(f"{v}, {m} {e}" for v, m, e in columns), "features"], lines)


def listed(means: pd.DataFrame, metrics: Sequence[str], names: dict[tuple, str]) -> str:
    """Return the table of some measures of some rows, one line per (variant, method, epochs, loss)."""
    lines = []
    for key, label in names.items():
        rows = rows_of(means, *key)
        lines.append([label, *numbers(rows, metrics), str(len(rows)), features(rows)])
    return markdown(["row", *(TITLES[metric] for metric in metrics), "seeds", "features"], lines)


def claimed(means: pd.DataFrame, claim: str) -> str:
    """Return how each row of a claim differs from the row it is compared with; random features do not answer it."""
    pairs, signs = CLAIMS[claim]
    lines = []
    for key, other in pairs:
        rows, plain = rows_of(means, *key), rows_of(means, *other)
        if rows.empty or plain.empty:
            continue
        names, verdict = f"{_named(key)} - {_named(other)}", "no answer: random features"
        cells = ["-"] * len(signs)
        if not any(each["real"].eq(False).any() for each in (rows, plain)):
            shown = {m: f"{rows[m].mean() - plain[m].mean():+z.{digits(m)}f}" for m in signs}
            cells = list(shown.values())
            verdict = "holds" if all(float(shown[m]) * sign > 0 for m, sign in signs.items()) else "does not hold"
            verdict = verdict if any(signs.values()) else "compare"
            verdict += f", {min(len(rows), len(plain))} seeds" if min(len(rows), len(plain)) > 1 else ", one seed"
        lines.append([names, *cells, verdict, features(rows)])
    head = ["difference", *(TITLES.get(metric, "SSIM on RGB") for metric in signs), "the claim", "features"]
    return markdown(head, lines) if lines else "This preset has no rows for this claim."


def _named(key: tuple) -> str:
    variant, method, epochs, loss = key
    return f"{loss} ({variant}, {method} {epochs})"


def costs(means: pd.DataFrame) -> str:
    """Return steps and training time of each row, with its network and features."""
    lines = [
        [
            *(str(one["row"]), f"{one['lab']}/{one['run']}", ", ".join(one[["network", "discriminator"]].dropna())),
            *(f"{one['iters']:.0f}", f"{one['wall_time_s']:.0f} s", str(one["backbone"])),
        ]
        for _, one in means[means["row"] != "bicubic"].drop_duplicates("row").iterrows()
    ]
    return markdown(["row", "run", "networks", "steps", "training time", "features"], lines)
