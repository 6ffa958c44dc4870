"""Choose the upscaler of a command: a network or an interpolation."""

from srlab.data.resampling import upsample
from srlab.devices import pick_device
from srlab.errors import SrlabError
from srlab.models.generator import config_of
from srlab.models.loading import load_generator_file
from srlab.tiling import Upscaler


def pick_upscaler(run: str, method: str | None, scale: int | None, device: str) -> tuple[Upscaler, int]:
    """Return the interpolation `method` with this `scale` (default: 4), or if it is None the network of a `run`.

    Return also the upscaler's scale. A network has only its own; another `scale` is an error.
    """
    if method:
        scale = 4 if scale is None else scale
        if scale < 1:
            raise SrlabError(f"--scale must be at least 1, but is {scale}.")
        return lambda lr: upsample(lr, scale, method), scale
    network = load_generator_file(run).to(pick_device(device))
    own = config_of(network)["scale"]
    if scale not in (None, own):
        raise SrlabError(f"{run} upscales by {own}, but --scale is {scale}. Leave --scale out.")
    return network, own
