"""Export a generator for other programs: as ONNX, or as weights that spandrel loads."""

import copy
import tempfile
import warnings
from pathlib import Path

import torch
from safetensors.torch import save as as_safetensors
from torch import nn

from srlab import files
from srlab.errors import SrlabError
from srlab.models import RRDBNet
from srlab.models.loading import BUNDLED, load_generator_file
from srlab.models.realesrgan import NAME as REAL_ESRGAN
from srlab.models.spandrel_networks import SpandrelNetwork
from srlab.paths import from_home

SUFFIXES = (".onnx", ".safetensors")
OPSET = 18  # version of the ONNX operators
USUAL = {"growth": 32, "fusion": 3, "residual_scale": 0.2, "enlarge": False}  # of RRDBNet
TOLERANCE, HALF_TOLERANCE = 1e-4, 2e-2  # largest difference from PyTorch, in units of [0, 1]


def export(generator: nn.Module | str | Path, path: str | Path, *, half: bool = False, force: bool = False) -> Path:
    """Write a generator into a file for other programs; the ending of its name determines the format.

    - ``.onnx``: input ``lr`` ``(1, 3, height, width)``, output ``sr``, both RGB in [0, 1]; any height and width. The
      output is not clamped. The metadata contain the scale, the order of colors, the range of values, the license and
      the source.
    - ``.safetensors``: weights of an RRDBNet, which spandrel, and with it chaiNNer and ComfyUI, recognizes.

    The file is read again and compared with the generator on an image of odd size before it appears under its name.

    Parameters
    ----------
    generator
        Network in eval mode on the CPU, or what `load_generator_file` accepts.
    half
        Store weights in float16, which halves the file. In ONNX, input and output are also float16.
    force
        Replace an existing file.

    Returns
    -------
    Path
        The path with ``~`` expanded.
    """
    path = from_home(path)
    if path.suffix not in SUFFIXES:
        raise SrlabError(f"The format of {path.name} is unknown. End its name in {', '.join(SUFFIXES)}.")
    files.refuse_existing(path, force)
    source = type(generator).__name__ if isinstance(generator, nn.Module) else str(generator)
    generator = generator if isinstance(generator, nn.Module) else load_generator_file(generator)
    lr = torch.rand(1, 3, 37, 23, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        sr = generator(lr)
    if path.suffix == ".onnx":
        content, result = _onnx(generator, lr, half, _notes(source, sr.shape[-1] // lr.shape[-1]))
    else:
        content, result = _weights(generator, lr, half)
    difference = (result.float().clamp(0, 1) - sr.clamp(0, 1)).abs().max().item()
    if not difference <= (HALF_TOLERANCE if half else TOLERANCE):
        raise SrlabError(f"{path.name} would differ from {source} by up to {difference:.2g}, so it was not written.")
    files.write_atomic(path, content)
    return path


def _notes(source: str, scale: int) -> dict[str, str]:
    """Return the metadata of an ONNX file."""
    licenses = dict.fromkeys(BUNDLED.values(), "MIT") | {REAL_ESRGAN: "BSD-3-Clause, Copyright (c) 2021, Xintao Wang"}
    license = licenses.get(source, "not stated: the weights belong to those who trained them")
    return {"scale": str(scale), "colors": "RGB", "range": "0 to 1", "license": license, "source": source}


def _onnx(generator: nn.Module, lr: torch.Tensor, half: bool, notes: dict[str, str]) -> tuple[bytes, torch.Tensor]:
    """Return an ONNX file, and its SR image of `lr` in onnxruntime."""
    try:
        import onnxruntime
        import onnxscript  # noqa: F401  torch.onnx needs it
    except ImportError as error:
        packages = "onnx onnxruntime onnxscript"
        raise SrlabError(f"ONNX needs more packages. Run: python -m pip install {packages}") from error
    image = lr.half() if half else lr
    generator = copy.deepcopy(generator).half() if half else generator
    dynamic = ({2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC},)
    try:
        with warnings.catch_warnings(), torch.enable_grad():  # gradients keep SRResNet's PReLU out of place
            warnings.simplefilter("ignore")
            names = {"input_names": ["lr"], "output_names": ["sr"]}
            program = torch.onnx.export(
                generator, (image,), dynamo=True, dynamic_shapes=dynamic, opset_version=OPSET, verbose=False, **names
            )
    except Exception as error:  # torch raises many kinds for operations that ONNX lacks
        reason = str(error).strip().splitlines()[0]
        raise SrlabError(f"{type(generator).__name__} cannot be exported as ONNX ({reason}).") from error
    model = program.model_proto
    for key, value in notes.items():
        model.metadata_props.add(key=key, value=value)
    content = model.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return content, torch.from_numpy(session.run(["sr"], {"lr": image.numpy()})[0])


def _weights(generator: nn.Module, lr: torch.Tensor, half: bool) -> tuple[bytes, torch.Tensor]:
    """Return a file of weights, and the SR image of `lr` from the network in that file."""
    name = type(generator).__name__
    if isinstance(generator, SpandrelNetwork):
        raise SrlabError(f"The weights of {name} are in a file that other programs load already. Use that file.")
    config = getattr(generator, "config", {})
    changed = [key for key, usual in USUAL.items() if config.get(key, usual) != usual]
    if changed:
        raise SrlabError(
            f"Programs that find the architecture from the weights cannot load {name} with "
            f"{changed[0]}={config[changed[0]]}. Export it as .onnx."
        )
    if not isinstance(generator, RRDBNet) or config["scale"] == 8:
        raise SrlabError(f"No other program loads weights of {name} x{config.get('scale', '?')}. Export it as .onnx.")
    weights = generator.state_dict()
    content = as_safetensors({key: (value.half() if half else value).contiguous() for key, value in weights.items()})
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        file = Path(folder, "weights.safetensors")
        file.write_bytes(content)
        return content, load_generator_file(file).float()(lr)
