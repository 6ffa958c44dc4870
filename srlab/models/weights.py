"""Weights files: of runs, of those that come with srlab, and published ones."""

from pathlib import Path

import torch
from torch import nn

from srlab import models
from srlab.base import files
from srlab.base.errors import SrlabError
from srlab.base.places import generator_file, locate, run_folder
from srlab.models import published, realesrgan

FOLDER = Path(__file__).parent / "shipped"
# Small generators that come with srlab: two trained for PSNR, and one that a discriminator made sharper. Labs 01, 03
# and 04 have trained them on the twelve embedded training photos and on nothing else; ``shipped/README.md`` has the
# commands, the photos with their licences, and the scores. So there is something to compare before any lab was run, and
# a GAN can start from more than a few minutes of training. Method, as srlab.view.plots.COLORS spells it -> name:
SHIPPED = {"MSRResNet": "msrresnet", "RRDB": "rrdb", "SRGAN": "srgan"}
NAMES = (*SHIPPED.values(), realesrgan.NAME)  # what `read_generator` knows without a file


def find_shipped(name: str) -> Path | None:
    """Weights file of a name, or None where no generator of that name comes with srlab."""
    return FOLDER / f"{name}.safetensors" if name in SHIPPED.values() else None


def load_shipped() -> dict[str, nn.Module]:
    """Each generator by its method, in eval mode on the CPU; they enlarge x4."""
    return {method: read_generator(find_shipped(name)) for method, name in SHIPPED.items()}


def load_generator(lab: str, name: str = "default") -> nn.Module:
    """Load the generator of a run: the network is built from the metadata of its weights file.

    Parameters
    ----------
    lab, name
        Of the run, for example ``"01_srresnet"``, ``"default"``.

    Returns
    -------
    torch.nn.Module
        In eval mode, on the CPU.

    Raises
    ------
    SrlabError
        No such run, or its weights file is damaged or names an unknown network.
    """
    folder = run_folder(lab, name)
    if not folder.is_dir():
        raise SrlabError(f"There is no run {folder}; run the lab that makes it first.")
    return read_generator(folder)


def read_generator(path: str | Path) -> nn.Module:
    """Build a network from the metadata of a weights file, and load its weights.

    Parameters
    ----------
    path
        A run folder or ``"<lab>/<name>"``, a ``.safetensors`` file of one, or weights that others have published, see
        `srlab.models.published`. A ``.pth`` is read for its tensors alone; nothing in it is executed. Where there is
        nothing of that name, ``msrresnet``, ``rrdb`` and ``srgan`` are what comes with srlab, see `SHIPPED`, and
        ``realesrgan`` is `srlab.models.realesrgan.load_published`.

    Returns
    -------
    torch.nn.Module
        In eval mode, on the CPU.

    Raises
    ------
    SrlabError
        The file is missing, damaged, of another kind, or names an unknown network.
    """
    named = "" if Path(path).exists() else str(path)
    if named == realesrgan.NAME:
        return realesrgan.load_published()
    path = find_shipped(named) or locate(path, NAMES)
    if path.is_dir():
        path = path / generator_file()
    elif path.suffix in (".pth", ".pt"):
        return published.read_published(path)
    elif path.suffix != ".safetensors":
        raise SrlabError(
            f"{path} is neither a run folder nor a weights file (.safetensors or .pth), nor one of the networks that "
            f"srlab knows by name: {', '.join(NAMES)}."
        )
    weights, notes = files.read_safetensors(path)
    if not notes:
        return published.read_published(path)
    if notes.get("network") not in list(models.GENERATORS):  # a list takes what cannot be hashed, too
        known = ", ".join(models.GENERATORS)
        raise SrlabError(f"{path} holds a network '{notes.get('network')}'; srlab knows {known}.")
    try:
        network, config = models.GENERATORS[notes["network"]], notes["config"]
        if config["blocks"] > len(weights):  # notes that ask for more than the file holds cost neither time nor memory
            raise ValueError("each block has weights of its own")
        with torch.device("meta"):  # shapes alone
            network(**config).load_state_dict(weights, assign=True)
        generator = network(**config)
        generator.load_state_dict(weights)
    except (KeyError, RuntimeError, TypeError, ValueError, SrlabError) as error:  # the last: a scale that is none
        raise SrlabError(f"The weights in {path} do not fit {notes['network']} {notes.get('config')}.") from error
    if not files.all_finite(weights):
        raise SrlabError(
            f"{path} has values that are no numbers (NaN or infinite); take weights from before, such as the best ones "
            "of the run."
        )
    return generator.eval()
