"""Record the settings that determine the result of a run, and compare two sets of settings.

A run resumes with the settings that it was begun with. This may change, and everything else is an error:

- the total number of steps, and with it the schedule and the EMA (`FOLLOW_LENGTH`)
- how an optimizer computes its update (`COMPUTED`), and settings of optimizers that only another version of torch has
- facts in the manifest that are not parameters: device, precision, what is compiled or recorded, versions of packages,
  and the code of the step, which `Run.begin` prints
- all settings, as long as the run has not trained a step

Two checks need the objects: `srlab.training.state.refuse_other_layers` compares the layers of the networks, and
`srlab.training.rates.Rates.begin` rejects a learning rate that was changed by hand.
"""

import hashlib
import inspect
import json
import os
import platform
import subprocess
from collections.abc import Callable
from dataclasses import is_dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import srlab
from srlab.text import name_of
from srlab.training.manifests import Environment
from srlab.training.schedules import Schedule

FOLLOW_LENGTH = ("schedule", "ema")  # settings that may change with the total number of steps
COMPUTED = ("fused", "foreach", "capturable")  # optimizer settings that affect only how an update is computed
PACKAGES = ("torch", "numpy", "scikit-image", "matplotlib")


def environment() -> Environment:
    """Return package versions, platform and git revision for the manifest."""
    git = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(git, capture_output=True, encoding="utf-8", errors="replace", timeout=10, check=True)
        revision = done.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        revision = None  # installed from a wheel, or git is missing
    versions = {name: version(name) for name in PACKAGES}
    versions = {"srlab": srlab.__version__, "python": platform.python_version()} | versions
    return {"versions": versions, "platform": platform.platform(), "git": revision}


def describe_optimizer(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Return an optimizer's settings, as lists if its parameter groups differ, and the sizes of several groups."""
    groups = optimizer.param_groups
    settings = {key: [group[key] for group in groups] for key in groups[0] if key not in ("params", "lr")}
    settings = {key: all_[0] if all_.count(all_[0]) == len(all_) else all_ for key, all_ in settings.items()}
    sizes = {"tensors": [len(group["params"]) for group in groups]} if len(groups) > 1 else {}
    return {"optimizer": type(optimizer).__name__} | settings | sizes


def describe_schedule(schedule: Schedule, iters: int) -> str:
    """Return the name of a schedule; for a plain function also a short hash of its curve over the run."""
    if is_dataclass(schedule):
        return repr(schedule)
    curve = [f"{float(schedule(round(share * (iters - 1) / 50))):.6g}" for share in range(51)]
    return f"{name_of(schedule)} (curve {hashlib.sha256(' '.join(curve).encode()).hexdigest()[:8]})"


def hash_of_source(*functions: Callable) -> str:
    """Return a hash of the source of functions, without those that they call; "" if a source is not available."""
    try:
        sources = [inspect.getsource(one if inspect.isroutine(one) else type(one)) for one in functions]
        return hashlib.sha256("".join(sources).encode()).hexdigest()[:16]
    except (OSError, TypeError):
        return ""


def as_read_back(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings as they are read back from JSON: tuples become lists, tensors numbers, and paths strings."""

    def plain(value: Any) -> Any:
        return value.tolist() if hasattr(value, "tolist") else os.fspath(value)

    return json.loads(json.dumps(settings, default=plain))


def differences(earlier: dict[str, Any], now: dict[str, Any], within: str = "") -> list[str]:
    """Return the settings that differ, such as ``sampler.patch=32 (now 64)``."""
    changed = []
    for name in earlier | now:
        was, becomes = earlier.get(name), now.get(name)
        if isinstance(was, dict) and isinstance(becomes, dict):
            if "optimizer" in becomes:  # another version of torch may have other settings
                was = {key: was.get(key, setting) for key, setting in becomes.items() if key not in COMPUTED}
                becomes = {key: becomes[key] for key in was}
            changed += differences(was, becomes, f"{within}{name}.")
        elif was != becomes:
            changed.append(f"{within}{name}={was!r} (now {becomes!r})")
    return changed
