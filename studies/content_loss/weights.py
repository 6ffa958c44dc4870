"""Which weights the features of a row get, decided before anything is trained."""

from pathlib import Path

from srlab.base.errors import SrlabError

from .configurations import SHALLOW, Row


def backbones_of(rows: list[Row], backbone: str) -> dict[str, str]:
    """Layers -> weights for them.

    ``"auto"``, ``"random"`` and ``"imagenet"`` hold for all. A file is of one network and often ends early, so it
    serves the rows whose layers it has, and the others get what ``"auto"`` finds.

    Raises
    ------
    SrlabError
        The file is missing, damaged, or has the layers of no row.
    """
    layers = sorted({row.layers for row in rows if row.layers} | {spec[0] for spec in SHALLOW.values()})
    if backbone in ("auto", "random", "imagenet"):
        return dict.fromkeys(layers, backbone)
    from srlab.models import pretrained as backbones

    path = backbones.find_weights("vgg19", Path(backbone).absolute())
    backbones.load_weights(path)  # refuses a damaged file
    served = {name: str(path) if has_layers(path, name) else "auto" for name in layers}
    if str(path) not in served.values():
        raise SrlabError(f"{path} has the layers of no row of this study ({', '.join(layers)}); give another file.")
    return served


def shallow_is_real(served: dict[str, str]) -> bool:
    """Whether all layers of the extra comparison have trained weights."""
    from srlab.models import pretrained as backbones

    policies = {served[spec[0]] for spec in SHALLOW.values()}
    if "random" in policies:
        return False
    return policies != {"auto"} or backbones.find_weights("vgg19") is not None


def has_layers(path: Path, layers: str) -> bool:
    """Whether a weights file has all that features with these layers need."""
    import srlab

    try:
        return srlab.FeatureExtractor(layers, path).real
    except SrlabError:  # it ends before the layer, or is of another network
        return False
