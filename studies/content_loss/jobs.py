"""The jobs of the content-loss study, and the weights of each row's features."""

from pathlib import Path
from typing import Any

import srlab
from srlab.errors import SrlabError
from srlab.models import backbones
from studies.presets import Job

from . import as_coded
from .configurations import SHALLOW, Row, cells, parameters, read_preset, rows

__all__ = ["backbones_of", "has_layers", "jobs", "read_preset"]
POLICIES = ("auto", "random", "imagenet")


def jobs(preset: dict[str, Any]) -> dict[str, Job]:
    """Return all jobs of a preset by name, each after the one that it needs."""
    weights = backbones_of(rows(preset), preset["backbone"])
    facts = {"rgb": True, "degradations": [{}]}
    facts |= {key: preset.get(key, []) for key in ("scored", "benchmarks")}
    found = {"bicubic": Job(facts | {"known": {}})}
    for row in rows(preset, shallow=bool(preset.get("extra_seeds")) and shallow_is_real(weights)):
        known = {name: getattr(row, name) for name in ("lab", "run", "variant", "method", "loss", "epochs", "seed")}
        about = {
            "known": known,
            "layers": row.layers,
            "run": f"{row.lab}/{row.run}",
            "iters": preset["iters"][row.epochs],
        }
        given = parameters(row, preset, weights.get(row.layers, "random"))
        found[row.name] = Job(facts | about, row.lab, given, row.before.name if row.before else "", cells(row))
    return found


def backbones_of(rows: list[Row], backbone: str) -> dict[str, str]:
    """Return the weights for each layer.

    ``"auto"``, ``"random"`` and ``"imagenet"`` apply to all rows. A file is for one network and may end early, so it is
    used for the rows whose layers it has, and the other rows get ``"auto"``.
    """
    layers = sorted({row.layers for row in rows if row.layers} | {spec[0] for spec in SHALLOW.values()})
    if backbone in POLICIES:
        return dict.fromkeys(layers, backbone)
    path = backbones.find_weights("vgg19", Path(backbone).absolute())
    assert path  # only "auto" finds none
    backbones.load_weights(path)  # rejects a damaged file
    served = {name: str(path) if has_layers(path, name) else "auto" for name in layers}
    if str(path) not in served.values():
        raise SrlabError(f"{path} has none of the layers of this study ({', '.join(layers)}). Pass another file.")
    return served


def shallow_is_real(served: dict[str, str]) -> bool:
    """Return whether all layers of the additional comparison have trained weights."""
    policies = {served[spec[0]] for spec in SHALLOW.values()}
    return "random" not in policies and (policies != {"auto"} or backbones.find_weights("vgg19") is not None)


def has_layers(path: Path, layers: str) -> bool:
    """Return whether a weights file has everything that these layers need."""
    as_coded.register()
    try:
        return srlab.FeatureExtractor(layers, path).real
    except SrlabError:  # it ends before the layer, or is for another network
        return False
