"""Choose the upscaler of a command: a network or an interpolation."""

from srlab.data.images import check_scale
from srlab.data.resampling import upsample
from srlab.devices import pick_device
from srlab.models.loading import load_generator_file
from srlab.tiling import Upscaler


def pick_upscaler(run: str, method: str | None, scale: int | None, device: str) -> tuple[Upscaler, int]:
    """Return the interpolation `method` with this `scale` (default: 4), or if it is None the network of a `run`.

    Return also the upscaler's scale.
    """
    if method:
        scale = 4 if scale is None else scale
        check_scale(scale)
        return lambda lr: upsample(lr, scale, method), scale
    network = load_generator_file(run).to(pick_device(device))
    return network, network.config["scale"]
