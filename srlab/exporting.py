"""Export a generator for other programs: as ONNX, or as weights that spandrel loads."""

import contextlib
import copy
import re
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
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
from srlab.paths import expand_user

OPSET = 18  # version of the ONNX operators
TOLERANCE, HALF_TOLERANCE = 1e-4, 2e-2  # largest difference from PyTorch, in units of [0, 1]
# Heights and widths on which an ONNX file is compared with PyTorch: odd, multiples of an attention window, one window,
# and less. Python branches on the size are frozen in the file, so a network can be right at one of them only.
SIZES = ((37, 23), (24, 40), (64, 51), (65, 130), (128, 96), (33, 64), (16, 16), (9, 70), (8, 8), (1, 5), (1, 1))
# Runs an ONNX file on images, in its own process, because onnxruntime can crash.
RUN = """
import sys, numpy, onnxruntime
options = onnxruntime.SessionOptions()
options.log_severity_level = 4
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
given = numpy.load(sys.argv[2])
names = [one.name for one in session.get_inputs()]
for number in range(len(given.files) // len(names)):
    try:
        inputs = {name: given[f"{name}{number}"] for name in names}
        numpy.save(f"{sys.argv[2]}.{number}.npy", session.run(["sr"], inputs)[0])
    except Exception as error:
        print(error, file=sys.stderr)
"""


def export(
    generator: nn.Module | str | Path, path: str | Path, *, half: bool = False, smallest: int = 1, force: bool = False
) -> Path:
    """Write a generator into a file for other programs; the ending of its name determines the format.

    - ``.onnx``: input ``lr`` ``(batch, 3, height, width)``, output ``sr``, both RGB in [0, 1]; any height and width,
      and any batch, except for networks that take only one image at a time in ONNX. The output is not clamped. The
      metadata contain the scale, the order of colors, the range of values, the license, the source, and `smallest`.
      A `FlowNet` gets a second input ``noise`` ``(batch, 3, scale * height, scale * width)``, standard normal, because
      each noise gives another answer; the metadata contain its distribution, its channels and its scale. A seed
      would not do, because runtimes draw different noise, and a tile needs the noise of its position.
    - ``.safetensors``: weights, if spandrel, and with it chaiNNer and ComfyUI, recognizes the network.

    The file is read again by onnxruntime or spandrel and compared with the generator, in ONNX at several sizes, before
    it appears under its name.

    Parameters
    ----------
    generator
        Network, or what `load_generator_file` accepts.
    path
        File to write.
    half
        Store weights in float16, which halves the file. In ONNX, input and output are also float16.
    smallest
        Smallest side of an image for which an ONNX file must be right. Some networks with attention need more than 1.
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
    if smallest > (most := max(map(min, SIZES))):
        raise SrlabError(f"smallest must be at most {most}, the largest side that is compared, but is {smallest}.")
    files.refuse_existing(path, force)
    if isinstance(generator, nn.Module):
        generator = unwrapped(copy.deepcopy(generator))
        source, known = type(generator).__name__, _license("")
    else:
        # A path can contain names that are nobody's business.
        source = Path(generator).name if Path(generator).exists() else str(generator)
        known = _license("" if Path(generator).exists() else source)
        generator = load_generator_file(generator)
    generator.cpu().eval()
    if isinstance(generator, FlowNet) and path.suffix == ".onnx":
        generator = FlowFromNoise(generator)
    content = (
        _onnx(generator, half, source, known, smallest) if path.suffix == ".onnx" else _weights(generator, half, source)
    )
    files.write_atomic(path, content)
    return path


def _onnx(generator: nn.Module, half: bool, source: str, license: str, smallest: int) -> bytes:
    """Return an ONNX file that computes the same as the generator."""
    try:
        import onnx
        import onnxruntime  # noqa: F401  runs the file
        import onnxscript  # noqa: F401  torch.onnx needs it
    except ImportError as error:
        packages = "onnx onnxruntime onnxscript"
        raise SrlabError(f"ONNX needs more packages. Run: python -m pip install {packages}") from error
    try:  # with any number of images, if the network computes the same then
        model = _checked(generator, half, smallest, ("batch",))
    except SrlabError:
        model = _checked(generator, half, smallest, ())
    model.ir_version = onnx.helper.find_min_ir_version_for(model.opset_import)  # for runtimes of other programs
    for node in model.graph.node:
        del node.metadata_props[:]  # the exporter writes the paths of this machine's files
    notes = {"scale": str(_scale(generator)), "colors": "RGB", "range": "0 to 1", "smallest side": str(smallest)}
    if isinstance(generator, FlowFromNoise):
        notes |= {"noise": "standard normal", "noise channels": "3", "noise scale": notes["scale"]}
    for key, value in (notes | {"license": license, "source": source}).items():
        model.metadata_props.add(key=key, value=value)
    return model.SerializeToString()


def _checked(generator: nn.Module, half: bool, smallest: int, batch: tuple[str, ...]) -> Any:
    """Return an ONNX model for any height and width, compared with the generator at many sizes.

    `batch` has a name if the model takes any number of images, and none if it takes one at a time. Sizes below
    `smallest`, and those that the generator itself cannot upscale, do not count.
    """
    sizes, random = [size for size in SIZES if min(size) >= smallest], torch.Generator().manual_seed(0)
    count = {sizes[0]: 2} if batch else {}  # the others are single images
    inputs = {size: _inputs(generator, count.get(size, 1), size, random) for size in sizes}
    precise = copy.deepcopy(generator).half() if half else generator
    given = {
        size: {name: value.half() if half else value for name, value in one.items()} for size, one in inputs.items()
    }
    first = given[sizes[0]]
    axes = [dict(enumerate(batch)) | {2: f"{prefix}height", 3: f"{prefix}width"} for prefix in ("", "noise_")]
    try:
        with warnings.catch_warnings(), torch.enable_grad():  # gradients keep SRResNet's PReLU out of place
            warnings.simplefilter("ignore")
            names = {"input_names": [*first], "output_names": ["sr"], "dynamic_shapes": tuple(axes[: len(first)])}
            model = torch.onnx.export(
                precise, tuple(first.values()), dynamo=True, opset_version=OPSET, verbose=False, **names
            ).model_proto
    except Exception as error:  # torch raises many kinds for operations that ONNX lacks
        raise SrlabError(f"{_name(generator)} cannot be exported as ONNX ({_cause(error)}).") from error
    wanted = {}
    for size, one in inputs.items():
        with contextlib.suppress(Exception), torch.no_grad():  # each architecture fails in its own way at small sizes
            wanted[size] = generator(*one.values())
    found = _run_onnx(model.SerializeToString(), [given[size] for size in wanted])
    wrong = {size: apart for size, sr in zip(wanted, found, strict=True) if (apart := _apart(sr, wanted[size], half))}
    if wrong:
        size, apart = next(iter(wrong.items()))
        above = 1 + max(map(min, wrong))
        advice = f" For larger images only, pass smallest={above} (--smallest {above})." if above < 16 else ""
        raise SrlabError(
            f"{_name(generator)} cannot be exported as ONNX: the file {apart} for an image of {size[1]}x{size[0]} "
            f"pixels. Its code probably depends on the size, which ONNX cannot express.{advice}"
        )
    return model


def _inputs(
    generator: nn.Module, count: int, size: tuple[int, int], random: torch.Generator
) -> dict[str, torch.Tensor]:
    """Return random inputs of an ONNX file by name: an LR batch, and for a flow noise."""
    inputs = {"lr": torch.rand(count, 3, *size, generator=random)}
    if isinstance(generator, FlowFromNoise):
        scale = generator.flow.config["scale"]
        inputs["noise"] = torch.randn(count, 3, *(scale * side for side in size), generator=random)
    return inputs


def _run_onnx(content: bytes, given: list[dict[str, torch.Tensor]]) -> list[torch.Tensor | None]:
    """Return the SR images of an ONNX file for inputs by name; None for inputs at which it fails."""
    with tempfile.TemporaryDirectory() as folder:
        file, inputs = Path(folder, "net.onnx"), Path(folder, "inputs.npz")
        file.write_bytes(content)
        named = {f"{name}{number}": value for number, one in enumerate(given) for name, value in one.items()}
        np.savez(inputs, **{name: value.numpy() for name, value in named.items()})
        subprocess.run([sys.executable, "-c", RUN, file, inputs], capture_output=True)
        results = [Path(f"{inputs}.{number}.npy") for number in range(len(given))]
        return [torch.from_numpy(np.load(result)).float() if result.exists() else None for result in results]


def _apart(sr: torch.Tensor | None, wanted: torch.Tensor, half: bool) -> str:
    """Return how an SR image of a file differs from that of the generator, or ""."""
    if sr is None or sr.shape != wanted.shape:
        return "fails"
    difference = (sr.clamp(0, 1) - wanted.clamp(0, 1)).abs().max().item()
    return "" if difference <= (HALF_TOLERANCE if half else TOLERANCE) else f"differs by up to {difference:.2g}"


def _weights(generator: nn.Module, half: bool, source: str) -> bytes:
    """Return a file of weights from which spandrel builds the same network."""
    network = generator.network if isinstance(generator, SpandrelNetwork) else generator
    weights = {key: (value.half() if half else value).contiguous() for key, value in network.state_dict().items()}
    lr = torch.rand(1, 3, 37, 23, generator=torch.Generator().manual_seed(0))
    try:
        with torch.no_grad():
            apart = _apart(build_spandrel(Path(source), dict(weights)).float()(lr), generator(lr), half)
    except SrlabError:
        apart = "it does not recognize the network"
    if apart:
        raise SrlabError(f"spandrel cannot load {_name(generator)} of {source} ({apart}). Export it as .onnx.")
    return as_safetensors(weights)


def _license(source: str) -> str:
    licenses = dict.fromkeys((*BUNDLED.values(), ONE_STEP), "MIT")
    licenses |= {REAL_ESRGAN: "BSD-3-Clause, Copyright (c) 2021, Xintao Wang"}
    return licenses.get(source, "not stated: the weights belong to those who trained them")


def _name(generator: nn.Module) -> str:
    if isinstance(generator, FlowFromNoise):
        generator = generator.flow
    elif isinstance(generator, SpandrelNetwork):
        generator = generator.network
    return type(generator).__name__


def _scale(generator: nn.Module) -> int:
    if isinstance(generator, FlowFromNoise):
        return generator.flow.config["scale"]
    lr = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        return generator(lr).shape[-1] // lr.shape[-1]


def _cause(error: BaseException) -> str:
    """Return the first sentence of the first error in a chain, without codes for terminals."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = re.sub(r"\x1b\[[\d;]*m", "", str(error)).strip().partition("\n")[0]
    return text.partition(". ")[0].rstrip(".") or type(error).__name__
