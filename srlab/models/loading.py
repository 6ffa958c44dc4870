"""Load generators: those of training runs, those bundled with srlab, and those published by others."""

import inspect
from pathlib import Path

import torch
from torch import nn

from srlab import models, tensor_files
from srlab.errors import SrlabError
from srlab.models import realesrgan
from srlab.models.backbones import load_weights
from srlab.models.spandrel_networks import build_spandrel
from srlab.paths import generator_file, locate, run_folder

FOLDER = Path(__file__).parent / "bundled"
# Bundled generators, to compare before you run a lab and to initialize a GAN: two trained for PSNR, and one sharpened
# with a discriminator. Labs 01, 03 and 04 trained them on only the twelve bundled training photos;
# ``bundled/README.md`` has the commands, licenses and scores.
# Method, with the spelling of srlab_course.figures.plots.COLORS -> name:
BUNDLED = {"MSRResNet": "msrresnet", "RRDB": "rrdb", "SRGAN": "srgan"}
# Lab 07's network, trained on the gravel of these photos. It draws one of many answers, so labs don't compare it.
ONE_STEP = "one_step"
NAMES = (*BUNDLED.values(), ONE_STEP, realesrgan.NAME)  # names that `load_generator_file` accepts instead of a path


def find_bundled(name: str | Path) -> Path | None:
    """Return the weights file of a bundled generator, or None for another name or a `Path`."""
    return FOLDER / f"{name}.safetensors" if name in (*BUNDLED.values(), ONE_STEP) else None


def load_bundled() -> dict[str, nn.Module]:
    """Load the bundled generators: method -> network for x4, in eval mode on the CPU."""
    return {method: load_generator_file(FOLDER / f"{name}.safetensors") for method, name in BUNDLED.items()}


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
        ``"msrresnet"``, ``"rrdb"``, ``"srgan"`` (`BUNDLED`), ``"one_step"``, or ``"realesrgan"``; a run folder or
        ``"<lab>/<name>"``, a ``.safetensors`` file of a run, or published weights of another network
        (`srlab.models.spandrel_networks`). A file with one of these names is ``"./msrresnet"`` or a `Path`.

    Returns
    -------
    torch.nn.Module
        The network in eval mode, on the CPU.
    """
    if path == realesrgan.NAME:
        return realesrgan.load_realesrgan()
    path = find_bundled(path) or locate(path, NAMES)
    if path.is_dir():
        path = path / generator_file()
    if path.suffix.lower() == ".onnx":
        raise SrlabError(
            f"{path} is an ONNX file, which srlab writes and onnxruntime runs (docs/elsewhere.md). Pass the run or the "
            "weights file that it was exported from."
        )
    if path.is_file() and not tensor_files.is_safetensors(path):
        return build_spandrel(path, load_weights(path))
    weights, notes = tensor_files.read_safetensors(path)
    return _build(path, weights, notes) if notes else build_spandrel(path, load_weights(path))


def _build(path: Path, weights: dict[str, torch.Tensor], notes: dict) -> nn.Module:
    """Build the network that the notes of a weights file describe."""
    name, config = str(notes.get("network")), notes.get("config", {})
    if name not in models.GENERATORS:
        raise SrlabError(
            f"{path} contains the weights of a network '{name}', which only your code can build. Upscale in Python, as "
            "docs/tools.md shows for a class of your own."
        )
    try:
        kinds = inspect.signature(models.GENERATORS[name]).parameters
        for key, value in config.items():  # another value might only fail while the network computes
            kind = kinds[key].annotation
            if type(value) not in (kind, int if kind is float else kind) or not abs(value) < 2**63:
                raise TypeError(f"{key} is not {kind.__name__}")
        if not all(value.numel() for value in weights.values()):  # a network with 0 features fails when it computes
            raise ValueError("an empty tensor")
        with torch.device("meta"):  # only shapes
            # Each block has the same number of tensors. A network with more than the file has could take all memory.
            if (blocks := config.get("num_blocks", 1)) > 2:
                one, two = (len(models.GENERATORS[name](**config | {"num_blocks": n}).state_dict()) for n in (1, 2))
                if len(weights) != one + (blocks - 1) * (two - one):
                    raise ValueError("not that many blocks")
            models.GENERATORS[name](**config).load_state_dict(weights, assign=True)
        generator = models.GENERATORS[name](**config)
        generator.load_state_dict(weights)
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError, SrlabError) as error:  # an invalid scale
        raise SrlabError(f"The weights in {path} do not fit {name} {config}.") from error
    if not tensor_files.all_finite(weights):
        raise SrlabError(f"{path} contains NaN or infinity. Use earlier weights, such as the best ones of the run.")
    return generator.eval()
