"""Load generators: those of training runs, those bundled with srlab, and those published by others."""

import math
import re
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from srlab import files, models
from srlab.errors import SrlabError
from srlab.models import realesrgan
from srlab.models.backbones import load_weights
from srlab.models.spandrel_networks import build_spandrel
from srlab.paths import generator_file, locate, run_folder

FOLDER = Path(__file__).parent / "bundled"
# Bundled generators, to compare before you run a lab and to initialize a GAN: two trained for PSNR, and one sharpened
# with a discriminator. Labs 01, 03 and 04 trained them on only the twelve bundled training photos;
# ``bundled/README.md`` has the commands, licenses and scores.
# Method, with the spelling of srlab.course.plots.COLORS -> name:
BUNDLED = {"MSRResNet": "msrresnet", "RRDB": "rrdb", "SRGAN": "srgan"}
# Prefixes of names in files of torch.compile, DataParallel, mmagic, BasicSR and Lightning; averaged weights first.
PREFIXES = ("_orig_mod.", "module.", "generator_ema.", "generator.", "net_g.", "model.", "net.")
NAMES = (*BUNDLED.values(), realesrgan.NAME)  # names that `load_generator_file` accepts instead of a path


def find_bundled(name: str) -> Path | None:
    """Return the weights file of a bundled generator, or None for another name."""
    return FOLDER / f"{name}.safetensors" if name in BUNDLED.values() else None


def load_bundled() -> dict[str, nn.Module]:
    """Load the bundled generators: method -> network for x4, in eval mode on the CPU."""
    return {method: load_generator_file(find_bundled(name)) for method, name in BUNDLED.items()}


def load_generator(lab: str, name: str = "default") -> nn.Module:
    """Load the generator of a run, such as ``load_generator("01_srresnet", "default")``, in eval mode on the CPU."""
    folder = run_folder(lab, name)
    if not folder.is_dir():
        raise SrlabError(f"Run {folder} not found. Run the lab that creates it first.")
    return load_generator_file(folder)


def load_generator_file(path: str | Path) -> nn.Module:
    """Build the network that a weights file describes, and load its weights; nothing in the file is executed.

    Parameters
    ----------
    path
        Run folder or ``"<lab>/<name>"``, a ``.safetensors`` file of a run, or published weights of another network
        (`srlab.models.spandrel_networks`). If there is no such file or folder: ``"msrresnet"``, ``"rrdb"``, ``"srgan"``
        (`BUNDLED`), or ``"realesrgan"``.

    Returns
    -------
    torch.nn.Module
        The network in eval mode, on the CPU.
    """
    name = "" if Path(path).exists() else str(path)
    if name == realesrgan.NAME:
        return realesrgan.load_realesrgan()
    path = find_bundled(name) or locate(path, NAMES)
    if path.is_dir():
        path = path / generator_file()
    if path.suffix in (".pth", ".pt"):
        return _recognized(path)
    if path.suffix != ".safetensors":
        raise SrlabError(
            f"{path} is not a run folder or a weights file. Pass a run folder, a .safetensors or .pth file, or one of "
            f"{', '.join(NAMES)}."
        )
    weights, notes = files.read_safetensors(path)
    return _build(path, weights, notes) if notes else _recognized(path)


def _recognized(path: Path) -> nn.Module:
    """Build the network that the names and shapes in a file of weights identify.

    It is SRResNet or MSRResNet, or any network of spandrel.
    """
    variants = list(_variants(load_weights(path)))
    for weights in variants:
        if notes := _described(weights):
            return _build(path, weights, notes)
    return build_spandrel(path, variants)


def _variants(weights: dict[str, torch.Tensor]) -> Iterator[dict[str, torch.Tensor]]:
    """Yield weights as they are, and then without one prefix of training programs after the other."""
    yield weights
    while prefix := next((prefix for prefix in PREFIXES if any(name.startswith(prefix) for name in weights)), ""):
        weights = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
        yield weights


def _described(weights: dict[str, torch.Tensor]) -> dict:
    """Return the notes that our own files have for such weights; {} for another network."""
    first = {"MSRResNet": "blocks.0.conv1.weight", "SRResNet": "blocks.0.body.0.weight"}
    network = next((network for network, layer in first.items() if weights.get(layer, torch.empty(0)).numel()), "")
    if not network:
        return {}
    num_features = weights[first[network]].shape[0]
    steps = [
        value for name, value in weights.items() if re.fullmatch(r"upsample\.\d+\.weight", name) and value.ndim == 4
    ]
    config = {"num_blocks": len({name.split(".")[1] for name in weights if name.startswith("blocks.")})}
    config |= {
        "num_features": num_features,
        "scale": math.isqrt(math.prod(len(step) // num_features for step in steps)),
    }
    return {"network": network, "config": config}


def _build(path: Path, weights: dict[str, torch.Tensor], notes: dict) -> nn.Module:
    """Build the network that the notes of a weights file describe."""
    name, config = str(notes.get("network")), notes.get("config")
    if name not in models.GENERATORS:
        raise SrlabError(f"{path} contains a network '{name}', but it must be {', '.join(models.GENERATORS)}.")
    try:
        if config["num_blocks"] > len(weights):  # else building a network larger than the file could take all memory
            raise ValueError("each block has its own weights")
        with torch.device("meta"):  # only shapes
            models.GENERATORS[name](**config).load_state_dict(weights, assign=True)
        generator = models.GENERATORS[name](**config)
        generator.load_state_dict(weights)
    except (KeyError, RuntimeError, TypeError, ValueError, SrlabError) as error:  # SrlabError: invalid scale
        raise SrlabError(f"The weights in {path} do not fit {name} {config}.") from error
    if not files.all_finite(weights):
        raise SrlabError(f"{path} contains NaN or infinity. Use earlier weights, such as the best ones of the run.")
    return generator.eval()
