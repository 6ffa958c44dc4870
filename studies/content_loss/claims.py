"""What the study claims, held against our rows: each sentence is computed, and random features answer nothing."""

import math

import pandas as pd

from srlab.models import pretrained as backbones
from studies.report import interval, number

from .configurations import CONTENT, EPOCHS, VARIANTS
from .tables import METHODS, select

Sentences = list[str]


def claims(means: pd.DataFrame, name: str) -> list[tuple[str, Sentences]]:
    """The study's claims and its open question, each with sentences about the rows on one image set.

    Parameters
    ----------
    means
        From `tables.read_scores`.
    name
        Of the image set.
    """
    here = means[means["set"] == name]
    return [
        ("Content losses bring finer texture than MSE.", texture(here)),
        ("A hybrid has higher PSNR and SSIM than MSE alone.", hybrids(here)),
        ("The GAN raises PSNR and SSIM.", adversarial(here)),
        ("The content loss matters more than the GAN.", content_or_gan(here)),
        ("Open question: does the VGG loss desaturate colours more than the ResNet loss?", saturation(here)),
    ]


def texture(means: pd.DataFrame) -> Sentences:
    """Gradient and energy of each content loss against those of MSE."""
    found, refused = [], Refused()
    for variant, loss in ((v, c) for v in VARIANTS for c in CONTENT):
        rows, plain = _pair(means, variant, "SRResNet", 250, loss, "MSE")
        if refused.keeps(rows, loss, variant) or plain.empty:
            continue
        sharper = rows["gradient_ratio"].mean() > plain["gradient_ratio"].mean()
        placed = rows["energy_error"].mean() < plain["energy_error"].mean()
        found.append(
            f"{loss} ({variant}): gradient ratio {number(rows['gradient_ratio'])} against "
            f"{number(plain['gradient_ratio'])} of MSE, energy error {number(rows['energy_error'])} against "
            f"{number(plain['energy_error'])}: {'holds' if sharper and placed else 'does not hold'}."
        )
    return [*found, *refused.sentences()] or [NO_ROWS]


def hybrids(means: pd.DataFrame) -> Sentences:
    """PSNR, SSIM and MS-SSIM of each hybrid against those of MSE."""
    found, refused = [], Refused()
    for variant, (method, epochs), content in ((v, m, c) for v in VARIANTS for m in METHODS for c in CONTENT):
        loss = f"hybrid {content}"
        rows, plain = _pair(means, variant, method, epochs, loss, "MSE")
        if not refused.keeps(rows, f"{method}-{epochs} {loss}", variant) and not plain.empty:
            found.append(f"{method}-{epochs} {loss} ({variant}): {_gain(rows, plain, 'MSE')}")
    return [*found, *refused.sentences()] or [NO_ROWS]


def adversarial(means: pd.DataFrame) -> Sentences:
    """Fidelity of SRGAN against that of SRResNet with the same loss."""
    found, refused = [], Refused()
    for variant, epochs, loss in ((v, e, x) for v in VARIANTS for e in EPOCHS["SRGAN"] for x in ("MSE", *CONTENT)):
        rows = select(means, variant=variant, method="SRGAN", epochs=epochs, loss=loss)
        plain = select(means, variant=variant, method="SRResNet", loss=loss)
        if loss != "MSE" and refused.keeps(rows, f"SRGAN-{epochs} {loss}", variant):
            continue
        if not rows.empty and not plain.empty:
            start = f"G began with the weights of MSE and went on for {rows['iters'].iloc[0]:.0f} steps"
            caution = f"{start}, which counts as well"
            if variant == "coded":
                caution = f"{start}, and no gradient of D reached it, so that the change is not D's doing"
            found.append(f"SRGAN-{epochs} {loss} ({variant}): {_gain(rows, plain, 'SRResNet')} But {caution}.")
    return [*found, *refused.sentences()] or [NO_ROWS]


def content_or_gan(means: pd.DataFrame) -> Sentences:
    """How far the loss moves PSNR, against how far D moves it; as coded, D moves nothing."""
    found, refused = [], Refused()
    for variant, loss in (("described", c) for c in CONTENT):
        rows, plain = _pair(means, variant, "SRResNet", 250, loss, "MSE")
        gan = select(means, variant=variant, method="SRGAN", epochs=100, loss="MSE")
        if not refused.keeps(rows, loss, variant) and not plain.empty and not gan.empty:
            by_loss = abs(rows["psnr_rgb"].mean() - plain["psnr_rgb"].mean())
            by_gan = abs(gan["psnr_rgb"].mean() - plain["psnr_rgb"].mean())
            verdict = "holds" if by_loss > by_gan else "does not hold"
            found.append(
                f"{loss} ({variant}) moves PSNR by {by_loss:.2f} dB away from MSE, and the GAN stage with MSE by "
                f"{by_gan:.2f} dB: {verdict}, as far as PSNR says."
            )
    return [*found, *refused.sentences()] or [NO_ROWS]


def saturation(means: pd.DataFrame) -> Sentences:
    """The study's question about colours, answered only where both networks were trained ones."""
    found = []
    for variant in VARIANTS:
        vgg = select(means, variant=variant, method="SRResNet", loss="VGG19_5_4")
        for loss in (name for name in CONTENT if name.startswith("Res")):
            rows = select(means, variant=variant, method="SRResNet", loss=loss)
            if vgg.empty or rows.empty:
                continue
            if not (vgg["real"].eq(True).all() and rows["real"].eq(True).all()):
                found.append(f"{loss} ({variant}): cannot be answered, because a feature network was random here.")
                continue
            both = f"{number(vgg['saturation_ratio'])} with VGG19_5_4, {number(rows['saturation_ratio'])} with {loss}"
            found.append(f"Saturation relative to HR ({variant}): {both}. {_differ(vgg, rows, 'saturation_ratio')}")
    return found or [NO_ROWS]


def shallow(means: pd.DataFrame, name: str) -> Sentences:
    """Colour of the rows over shallow VGG layers against that of MSE and of random features of the same shape."""
    here = means[means["set"] == name]
    pixel = select(here, variant="described", method="SRResNet", loss="MSE")
    found = []
    for layer in ("VGG19_2_2", "VGG19_3_4"):
        rows = select(here, variant="shallow", loss=layer)
        others = {"MSE": pixel, "random features of the same shape": select(here, loss=f"{layer} random")}
        others["the same layer without normalised input"] = select(here, loss=f"{layer} raw")
        for label, other in others.items():
            if rows.empty or other.empty:
                continue
            for metric, what in (("saturation_ratio", "saturation relative to HR"), ("colour_shift", "colour shift")):
                pair = f"{number(rows[metric])} against {number(other[metric])} of {label}"
                found.append(f"{layer}, {what}: {pair}. {_differ(rows, other, metric)}")
    return found or [NO_ROWS]


NO_ROWS = "This preset has no rows for it."


def _pair(means: pd.DataFrame, variant: str, method: str, epochs: int, loss: str, other: str) -> list[pd.DataFrame]:
    return [select(means, variant=variant, method=method, epochs=epochs, loss=name) for name in (loss, other)]


class Refused:
    """Rows that cannot answer a claim because they looked through random features, by network."""

    def __init__(self) -> None:
        self.rows: dict[str, list[str]] = {}

    def keeps(self, rows: pd.DataFrame, loss: str, variant: str) -> bool:
        """Whether the rows must not answer: there are none, or their features were random, which is noted."""
        if not rows.empty and not rows["real"].eq(True).all():
            self.rows.setdefault(rows["backbone"].iloc[0].split()[0], []).append(f"{loss} ({variant})")
        return not rows["real"].eq(True).all() or rows.empty

    def sentences(self) -> Sentences:
        """One for each network, so that none speaks of two, with the command that gets its weights."""
        return [
            f"Cannot be answered by {', '.join(labels)}: the features were random. Real weights: "
            f"`{backbones.remedy(network)}`, then the study anew."
            for network, labels in self.rows.items()
        ]


def _gain(rows: pd.DataFrame, plain: pd.DataFrame, other: str) -> str:
    names = {
        "psnr_rgb": ("PSNR", "+.2f", " dB"),
        "ssim_rgb": ("SSIM", "+.4f", ""),
        "ms_ssim_rgb": ("MS-SSIM", "+.4f", ""),
    }
    gains = {metric: rows[metric].mean() - plain[metric].mean() for metric in names}
    shown = {metric: format(gains[metric], form) for metric, (_, form, _) in names.items()}
    parts = [f"{label} {shown[metric]}{unit}" for metric, (label, _, unit) in names.items()]
    # A gain too small to be seen in the number is none.
    verdict = "holds" if all(float(text) > 0 or math.isnan(float(text)) for text in shown.values()) else "does not hold"
    return f"{', '.join(parts)} over {other} ({_runs(rows, plain)}): {verdict}."


def _runs(rows: pd.DataFrame, plain: pd.DataFrame) -> str:
    count = min(len(rows), len(plain))
    return "one run each, so a small difference may be chance" if count == 1 else f"{count} runs each"


def _differ(rows: pd.DataFrame, other: pd.DataFrame, metric: str) -> str:
    """Whether two means differ by more than their intervals, as far as the number of seeds allows to say."""
    if min(len(rows), len(other)) < 2:
        return "With one seed nobody knows whether that is more than chance."
    gap = abs(rows[metric].mean() - other[metric].mean())
    spread = math.hypot(interval(rows[metric].tolist()), interval(other[metric].tolist()))
    return f"The difference of {gap:.3f} is {'more' if gap > spread else 'not more'} than the intervals explain."
