"""Run folders of format 1, whose manifests had sentences where today's have facts."""

import ast
import re
from typing import Any

IMAGES = re.compile(r"(?P<name>.*) \((?P<count>\d+) images, (?P<fingerprint>.+)\)", re.DOTALL)
GONE = {"anisotropic": False, "photons": 0.0}  # stages that a degradation once had, as they are where they did nothing


def lift(manifest: dict[str, Any]) -> dict[str, Any]:
    """A manifest of format 1 in that of today.

    The photos were one sentence, and so was the degradation. A start of lab 02 could be words for none, and lab 04 kept
    its start beside the parameters, without the lab. The hash of its step was of another kind, so it goes.

    Parameters
    ----------
    manifest
        As it was read; it stays as it is.

    Raises
    ------
    AttributeError, KeyError, SyntaxError, TypeError, ValueError
        It has something else in their places.
    """
    facts = manifest | {"format": 2, "parameters": dict(manifest["parameters"])}
    facts.pop("code_of_step", None)
    made, stage = facts["parameters"], facts.pop("psnr_stage", None)
    if sampler := made.get("sampler"):
        images = IMAGES.fullmatch(sampler["images"]).groupdict()
        call = ast.parse(sampler["degradation"], mode="eval").body
        stages = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
        stages = {name: list(value) if isinstance(value, tuple) else value for name, value in stages.items()}
        made["sampler"] = sampler | {
            "images": images | {"count": int(images["count"])},
            "degradation": {name: value for name, value in stages.items() if value != GONE.get(name)},
        }
    if stage is not None:
        made.pop("psnr_stage", None)
        made["start"] = stage if stage in ("", "shipped") or "/" in stage else f"{facts['lab']}/{stage}"
    elif " " in made.get("start", ""):
        made["start"] = ""
    return facts
