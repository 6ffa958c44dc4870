"""Export a generator for other programs: as ONNX, or as weights that spandrel loads."""

import copy
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as as_safetensors
from torch import nn

from srlab import files
from srlab.errors import SrlabError
from srlab.models.flow import FlowFromNoise, FlowNet
from srlab.models.loading import BUNDLED, ONE_STEP, load_generator_file
from srlab.models.realesrgan import NAME as REAL_ESRGAN
from srlab.models.spandrel_networks import SpandrelNetwork, build_spandrel
from srlab.models.wrappers import unwrapped
from srlab.paths import exists, expand_user

OPSET = 18  # version of the ONNX operators
TOLERANCE = 1e-4  # largest difference from PyTorch, in units of [0, 1]
# Heights and widths at which a file is compared with PyTorch: odd, multiples of an attention window, and one window.
# Python branches on the size are frozen in an ONNX file, so a network can be right at one of them only.
SIZES = ((37, 23), (64, 96), (16, 40))
# Name of a network, not of a file that is called so -> license:
LICENSES: dict[object, str] = dict.fromkeys((*BUNDLED.values(), ONE_STEP), "MIT")
LICENSES |= {REAL_ESRGAN: "BSD-3-Clause, Copyright (c) 2021, Xintao Wang"}
NOT_STATED = "not stated: the weights belong to those who trained them"


def export(generator: nn.Module | str | Path, path: str | Path, *, force: bool = False) -> Path:
    """Write a generator into a file for other programs; the ending of its name determines the format.

    - ``.onnx``: input ``lr`` ``(batch, 3, height, width)``, output ``sr``, both RGB in [0, 1]; any height and width,
      and any batch, except for networks that take only one image at a time in ONNX. The output is not clamped. The
      metadata contain the scale, the order of colors, the range of values, the license and the source.
      A `FlowNet` gets a second input ``noise`` ``(batch, 3, scale * height, scale * width)``, standard normal, because
      each noise gives another answer; the metadata contain its distribution, its channels and its scale. A seed
      would not do, because runtimes draw different noise, and a tile needs the noise of its position.
    - ``.safetensors``: weights, if spandrel, and with it chaiNNer and ComfyUI, recognizes the network.

    The file is read again by onnxruntime or spandrel and compared with the generator, in ONNX at three sizes of 16
    pixels or more per side, before it appears under its name.

    Parameters
    ----------
    generator
        Network, or what `load_generator_file` accepts.
    path
        File to write.
    force
        Replace an existing file.

    Returns
    -------
    Path
        The path with ``~`` expanded.
    """
    path = expand_user(path)
    if path.suffix not in (".onnx", ".safetensors"):
        raise SrlabError(f"The format of {path.name} is unknown. End its name in .onnx or .safetensors.")
    files.refuse_existing(path, force)
    if isinstance(generator, nn.Module):
        network, source = unwrapped(copy.deepcopy(generator)), type(generator).__name__
    else:
        local = None if generator in LICENSES else expand_user(generator)
        # A path can contain names that are nobody's business.
        source = f"./{local.name}" if local and exists(local) else str(generator)
        network = load_generator_file(generator)
    network.cpu().eval()
    terms = LICENSES.get(generator, NOT_STATED)
    content = _onnx(network, source, terms) if path.suffix == ".onnx" else _weights(network, source)
    files.write_atomic(path, content, replace=force)
    return path


def _onnx(network: nn.Module, source: str, terms: str) -> bytes:
    """Return an ONNX file that computes the same as the network, with its license (`terms`)."""
    try:
        import onnx
        import onnxruntime  # noqa: F401  runs the file
        import onnxscript  # noqa: F401  torch.onnx needs it
    except ImportError as error:
        packages = "onnx onnxruntime onnxscript"
        raise SrlabError(f"ONNX needs more packages. Run: python -m pip install {packages}") from error
    try:  # with any number of images, if the network computes the same then
        model, scale = _checked(network, ("batch",))
    except SrlabError:
        model, scale = _checked(network, ())
    model.ir_version = onnx.helper.find_min_ir_version_for(model.opset_import)  # for runtimes of other programs
    for node in model.graph.node:
        del node.metadata_props[:]  # the exporter writes the paths of this machine's files
    notes = {"scale": str(scale), "colors": "RGB", "range": "0 to 1", "source": source, "license": terms}
    if isinstance(network, FlowNet):
        notes |= {"noise": "standard normal", "noise channels": "3", "noise scale": str(scale)}
    for key, value in notes.items():
        model.metadata_props.add(key=key, value=value)
    return model.SerializeToString()


def _checked(network: nn.Module, batch: tuple[str, ...]) -> tuple[Any, int]:
    """Return an ONNX model for any height and width, compared with the network at each of `SIZES`, and its scale.

    `batch` has a name if the model takes any number of images, and none if it takes one at a time.
    """
    generator = FlowFromNoise(network) if isinstance(network, FlowNet) else network
    inputs = [_inputs(network, 2 if batch and size == SIZES[0] else 1, size) for size in SIZES]
    axes = [dict(enumerate(batch)) | {2: f"{prefix}height", 3: f"{prefix}width"} for prefix in ("", "noise_")]
    names = {"input_names": [*inputs[0]], "output_names": ["sr"], "dynamic_shapes": tuple(axes[: len(inputs[0])])}
    given = tuple(inputs[0].values())
    try:
        with warnings.catch_warnings(), torch.enable_grad():  # gradients keep SRResNet's PReLU out of place
            warnings.simplefilter("ignore")
            program = torch.onnx.export(generator, given, dynamo=True, opset_version=OPSET, verbose=False, **names)
    except Exception as error:  # torch raises many kinds for operations that ONNX lacks
        raise SrlabError(f"{_name(network)} cannot be exported as ONNX ({_cause(error)}).") from error
    model = program.model_proto
    content = model.SerializeToString()
    for one, (height, width) in zip(inputs, SIZES, strict=True):
        with torch.no_grad():
            wanted = generator(*one.values())
        if apart := _apart(_run(content, one), wanted):
            raise SrlabError(
                f"{_name(network)} cannot be exported as ONNX: the file {apart} for an image of {width}x{height} "
                "pixels. Its code probably depends on the size, which ONNX cannot express."
            )
    return model, wanted.shape[-1] // width


def _inputs(network: nn.Module, count: int, size: tuple[int, int]) -> dict[str, torch.Tensor]:
    """Return random inputs of an ONNX file by name: an LR batch, and for a flow noise."""
    random = torch.Generator().manual_seed(0)
    inputs = {"lr": torch.rand(count, 3, *size, generator=random)}
    if isinstance(network, FlowNet):
        large = [network.config["scale"] * side for side in size]
        inputs["noise"] = torch.randn(count, 3, *large, generator=random)
    return inputs


def _run(content: bytes, inputs: dict[str, torch.Tensor]) -> torch.Tensor | None:
    """Return the SR image of an ONNX file, or None if it fails."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        return torch.from_numpy(session.run(["sr"], {name: value.numpy() for name, value in inputs.items()})[0])
    except Exception:  # onnxruntime has no common class for its errors
        return None


def _apart(sr: torch.Tensor | None, wanted: torch.Tensor) -> str:
    """Return how an SR image of a file differs from that of the generator, or ""."""
    if sr is None or sr.shape != wanted.shape:
        return "fails"
    difference = (sr.clamp(0, 1) - wanted.clamp(0, 1)).abs().max().item()
    return "" if difference <= TOLERANCE else f"differs by up to {difference:.2g}"


def _weights(network: nn.Module, source: str) -> bytes:
    """Return a file of weights from which spandrel builds the same network."""
    own: nn.Module = network.network if isinstance(network, SpandrelNetwork) else network
    weights = {key: value.contiguous() for key, value in own.state_dict().items()}
    lr = torch.rand(1, 3, *SIZES[0], generator=torch.Generator().manual_seed(0))
    try:
        with torch.no_grad():
            apart = _apart(build_spandrel(Path(source), dict(weights))(lr), network(lr))
    except SrlabError:
        apart = "it does not recognize the network"
    if apart:
        raise SrlabError(f"spandrel cannot load {_name(network)} of {source} ({apart}). Export it as .onnx.")
    return as_safetensors(weights)


def _name(network: nn.Module) -> str:
    return type(network.network if isinstance(network, SpandrelNetwork) else network).__name__


def _cause(error: BaseException) -> str:
    """Return the first sentence of the first error in a chain."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).strip().partition("\n")[0].partition(". ")[0].rstrip(".") or type(error).__name__
