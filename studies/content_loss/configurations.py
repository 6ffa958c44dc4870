"""The rows of the content-loss study: which lab trains each one, with which parameters.

The study trained SRResNet for 250 epochs on DIV2K, and SRGAN for 100 and 200 epochs, each with nine generator losses.
There are two variants here: `described`, as in its text, and `coded`, as in its code.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srlab.errors import SrlabError
from studies import presets

HERE = Path(__file__).parent
# Column of the study's tables -> layers for srlab.FeatureExtractor, as described and as coded. The code counted VGG's
# convolutions from the end, and counted ResNet's stages instead of its blocks, without the first stage.
CONTENT = {
    "VGG19_5_4": {"described": "vgg19 relu5_4", "coded": "vgg19_bn conv4_4"},
    "Res18_4": {"described": "resnet18 block4", "coded": "resnet18_without_stage1 block8"},
    "Res34_3": {"described": "resnet34 block3", "coded": "resnet34_without_stage1 block16"},
    "Res34_5": {"described": "resnet34 block5", "coded": "resnet34_without_stage1 block16"},
}
LOSSES = ("MSE", *CONTENT, *(f"hybrid {name}" for name in CONTENT))
# Layers in the small weights file of the course; loss -> layers, normalized input, random weights.
SHALLOW = {
    f"{layer.upper().replace(' RELU', '_')}{note}": (layer, note != " raw", note == " random")
    for layer in ("vgg19 relu2_2", "vgg19 relu3_4")
    for note in ("", " raw", " random")
}
EPOCHS = {"SRResNet": (250,), "SRGAN": (100, 200)}
PIXEL_SHARE = {"SRResNet": 0.7, "SRGAN": 0.6}  # of a hybrid
LABS = {"SRResNet": "02_content_loss", "SRGAN": "03_srgan"}
# What the study states for all its runs. It does not state the batch: 16 is that of the SRGAN paper.
COMMON = {
    "recipe": "laptop",  # for everything that the study does not state
    "scale": 4,
    "batch": 16,
    "patch": 128,
    "learning_rate": 1e-4,
    "schedule": "constant",
    "content": "mse",
    "relative": False,
    "augment": "flip",
}
ADVERSARIAL = {"pixel": "mse", "gan": "vanilla", "adversarial_weight": 1e-3, "discriminator_rate": 1e-4}
ADVERSARIAL |= {"betas": [0.9, 0.99], "ema": 0.999, "max_shift": 0, "instance_noise": 0.0}
ADVERSARIAL |= {"psnr_floor_margin": 100.0}  # its networks start below bicubic
ADVERSARIAL |= {"subject": ""}  # all photos
VARIANTS = {
    "described": {"network": "SRResNet", "normalize": True, "discriminator": "srgan"},
    "coded": {"network": "CodedSRResNet", "normalize": False, "discriminator": "coded"}
    # The code kept D's output from before its update, and detached it. G gets no gradient through it, as if D had
    # weight 0.
    | {"adversarial_weight": 0.0},
}
ROTATE = 10.0  # largest random rotation of a patch in degrees; as coded, its corners stay black
# Cells of the labs after which a row adds code: the parameters, because the setup in the next cell checks the names of
# networks, and the setup, which defines `make_patches`.
PARAMETERS = {"02_content_loss": "894a1aab", "03_srgan": "f23564bb"}
SETUP = {"02_content_loss": "0ddba911", "03_srgan": "e41942fa"}
SRGAN_ONLY = {*ADVERSARIAL, "discriminator"}  # lab 02 does not have these
PRESET_KEYS = {"iters", "seeds", "more_seeds", "more_rows", "num_blocks", "deeper", "extra_seeds", "rows", "backbone"}
PRESET_KEYS |= {"parameters", "described", "coded", "SRResNet", "SRGAN", "scored", "benchmarks"}
PRESET_KEYS |= {"threads", "gpu", "needs"}


@dataclass(frozen=True)
class Row:
    """One line of a table: a network trained with one loss, for one length, from one seed.

    Attributes
    ----------
    variant
        ``"described"``, ``"coded"``, ``"deeper"`` (more blocks, the study's outlook) or ``"shallow"`` (the additional
        comparison of layers in the small weights file).
    method
        ``"SRResNet"`` or ``"SRGAN"``.
    loss
        A name in `LOSSES` or `SHALLOW`.
    epochs
        Epochs of the study; a preset sets how many steps replace them.
    seed
        Random seed.
    """

    variant: str
    method: str
    loss: str
    epochs: int
    seed: int = 0

    @property
    def name(self) -> str:
        """Name of the row, for files."""
        return f"{self.variant}-{self.method.lower()}-{self.epochs}-{self._end}"

    @property
    def kind(self) -> str:
        """Key of the row in `VARIANTS`."""
        return "coded" if self.variant == "coded" else "described"

    @property
    def run(self) -> str:
        """Name of the run; the long SRGAN continues the short one, so both have the same name."""
        return f"{self.variant}-{self._end}"

    @property
    def _end(self) -> str:
        return f"{re.sub(r'[^a-z0-9_]+', '-', self.loss.lower())}-seed{self.seed}"

    @property
    def lab(self) -> str:
        """Name of the lab that trains it."""
        return LABS[self.method]

    @property
    def layers(self) -> str:
        """Layers of the content loss, for `srlab.FeatureExtractor`; "" for MSE only."""
        if self.loss in SHALLOW:
            return SHALLOW[self.loss][0]
        return "" if self.loss == "MSE" else CONTENT[self.loss.removeprefix("hybrid ")][self.kind]

    @property
    def before(self) -> "Row | None":
        """The row to train first: the start of a short SRGAN, or the short SRGAN that a long one continues."""
        if self.method == "SRResNet":
            return None
        if self.epochs > EPOCHS["SRGAN"][0]:
            return Row(self.variant, self.method, self.loss, EPOCHS["SRGAN"][0], self.seed)
        return Row(self.variant, "SRResNet", "MSE", EPOCHS["SRResNet"][0], self.seed)


def read_preset(name: str, **given: Any) -> dict[str, Any]:
    """Read ``<name>.yaml`` in this folder, see `studies.presets.read_preset`."""
    return presets.read_preset(HERE, PRESET_KEYS, name, **given)


def rows(preset: dict[str, Any], shallow: bool = False) -> list[Row]:
    """Return all rows of a preset, each after the one that it needs.

    `shallow` is whether there are weights for the additional comparison.
    """
    first = preset["seeds"][0]
    base = [
        Row(variant, method, loss, epochs, seed)
        for seed in preset["seeds"]
        for variant in VARIANTS
        for method in EPOCHS
        for epochs in EPOCHS[method]
        for loss in LOSSES
    ]
    if preset.get("deeper"):
        base.append(Row("deeper", "SRResNet", "MSE", 250, first))
        base.append(Row("deeper", "SRGAN", "VGG19_5_4", 100, first))
    named = [row for row in base if row.seed == first and _label(row) in preset.get("more_rows", [])]
    base += [Row(r.variant, r.method, r.loss, r.epochs, seed) for r in named for seed in preset.get("more_seeds", [])]
    known = {_label(row) for row in base}
    if unknown := [label for key in ("rows", "more_rows") for label in preset.get(key, []) if label not in known]:
        raise SrlabError(f"The preset lists '{unknown[0]}', which is not a row. A valid row is '{_label(base[0])}'.")
    if "rows" in preset:
        base = [row for row in base if _label(row) in preset["rows"]]
    if shallow:
        base += [Row("shallow", "SRResNet", loss, 250, s) for loss in SHALLOW for s in preset.get("extra_seeds", [])]
    return base


def _label(row: Row) -> str:
    return f"{row.variant} {row.method} {row.epochs} {row.loss}"


def parameters(row: Row, preset: dict[str, Any], backbone: str) -> dict[str, Any]:
    """Return the parameters that papermill passes to the lab for a row; the preset overrides the study.

    `backbone` are the weights of the features, see `srlab.FeatureExtractor`; rows about random features ignore it.
    """
    found = COMMON | ADVERSARIAL | VARIANTS[row.kind] | preset["parameters"]
    found |= preset.get(row.kind, {}) | preset.get(row.method, {})
    if row.method == "SRResNet":
        found = {name: value for name, value in found.items() if name not in SRGAN_ONLY} | {"start": ""}
    else:
        found["start"] = f"{LABS['SRResNet']}/{Row(row.variant, 'SRResNet', 'MSE', 250, row.seed).run}"
    # MSE has content weight 0, so this cheap layer is not used.
    found |= {"features": row.layers or "vgg19 relu1_1", "backbone": backbone if row.layers else "random"}
    if row.loss in SHALLOW:
        found["normalize"] = SHALLOW[row.loss][1]
        found["backbone"] = "random" if SHALLOW[row.loss][2] else backbone
    pixel = 1.0 if row.loss == "MSE" else PIXEL_SHARE[row.method] if row.loss.startswith("hybrid") else 0.0
    found |= {"pixel_weight": pixel, "content_weight": round(1 - pixel, 2)}
    if row.variant == "deeper":
        found["num_blocks"] = preset["deeper"]
    return found | {"run": row.run, "seed": row.seed, "iters": preset["iters"][row.epochs]}


def cells(row: Row) -> dict[str, str]:
    """Return the code that a row adds to its lab: id of a cell -> code that runs after it."""
    coded = row.kind == "coded"
    rotation = [
        "# Rotate the patches, as in the content-loss study.",
        "import functools",
        "",
        "from studies.content_loss import rotated",
        "",
        f"make_patches = functools.partial(rotated.patches_of, lab, rotate={ROTATE}, black_corners={coded})",
    ]
    networks = [
        "# Add the networks of the content-loss study, as in its code.",
        "from studies.content_loss import as_coded",
        "",
        "as_coded.register()",
    ]
    added = {SETUP[row.lab]: "\n".join(rotation)}
    return {PARAMETERS[row.lab]: "\n".join(networks)} | added if coded else added
