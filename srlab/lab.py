"""What the first and last cells of a notebook call: `setup`, `show`, `headline`."""

import ast
import difflib
import inspect
import math
import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import srlab
from srlab.errors import SrlabError

HEADLINE = "application/vnd.srlab.headline+json"  # media type under which `make labs` finds a lab's main figure
DECLARED = "# Parameters of this lab"  # how the cell with the defaults begins; a lint test holds the labs to it
INJECTED = "# Parameters\n"  # how the cell begins that papermill adds after it


@dataclass(frozen=True)
class Lab:
    """What `setup` found out.

    Attributes
    ----------
    name
        Of the lab, the folder of its runs.
    parameters
        Name and value of every parameter.
    device, precision
        To train with, already chosen.
    changed
        Names of the parameters that are not at their default.
    """

    name: str
    parameters: dict[str, Any]
    device: "srlab.devices.torch.device"
    precision: str
    changed: frozenset[str] = frozenset()

    @property
    def hardware(self) -> dict[str, Any]:
        """What `srlab.Trainer` is told of the machine: device, precision, and how networks are compiled."""
        return {"device": self.device, "precision": self.precision, "compiled": self.parameters.get("compiled", "")}

    def only_changed(self, *names: str) -> bool:
        """Whether all other parameters are at their defaults; not where the cell with the defaults was not seen."""
        return bool(self.parameters) and self.changed <= set(names)


def setup(name: str) -> Lab:
    """Check a lab's parameters, print on what it runs, and choose the colours of its figures.

    The parameters are those that the notebook's cell of defaults assigns. Papermill takes any ``-p`` name, known
    or not, so a slip would go unnoticed and the lab would run with the default: this is where it is caught.

    Parameters
    ----------
    name
        Of the lab, for example ``"01_srresnet"``.

    Returns
    -------
    Lab
        Parameters, device and precision.

    Raises
    ------
    SrlabError
        A parameter is unknown, has the wrong type, or `iters` is below 1; or the device is not there.
    """
    import matplotlib.pyplot as plt

    shell = _shell()
    cells = [] if shell is None else [str(cell) for cell in shell.user_ns.get("In", [])]
    declared = {name: ast.literal_eval(value) for name, value in _assignments(cells, DECLARED).items()}
    values = {key: default if shell is None else shell.user_ns[key] for key, default in declared.items()}
    check_parameters(declared, values, list(_assignments(cells, INJECTED)))
    device = srlab.devices.pick_device(values.get("device", "auto"))
    precision = srlab.devices.pick_precision(values.get("precision", "auto"), device)
    print(describe(device, precision))
    plt.rcParams["axes.prop_cycle"] = srlab.plots.line_styles()
    changed = frozenset(key for key, value in values.items() if value != declared[key])
    return Lab(name, values, device, precision, changed)


def check_parameters(declared: dict[str, Any], values: dict[str, Any], given: list[str]) -> None:
    """Refuse unknown names, values of another type than the default, and `iters` below 1.

    Parameters
    ----------
    declared
        Name and default of each parameter of the lab.
    values
        Name and value now.
    given
        Names given from outside.

    Raises
    ------
    SrlabError
        Says which parameter, what is known, and the nearest name.
    """
    for name in given:
        if name not in declared:
            near = difflib.get_close_matches(name, declared, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise SrlabError(f"Unknown parameter '{name}'{hint}. This lab knows: {', '.join(declared)}.")
    for name, value in values.items():
        default = declared[name]
        kind = (int, float) if isinstance(default, float) else type(default)
        if not isinstance(value, kind) or (isinstance(value, bool) and not isinstance(default, bool)):
            kind = "number" if isinstance(default, float) else type(default).__name__
            hint = " Papermill takes text that looks like a number with -r instead of -p." if kind == "str" else ""
            raise SrlabError(
                f"The parameter {name}={value!r} must be of type {kind}, like its default {default!r}.{hint}"
            )
    for name, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise SrlabError(f"The parameter {name}={value} must be a finite number.")
        if name == "learning_rate" and value < 0:
            raise SrlabError(f"The parameter learning_rate={value} must be 0 or more.")
        if name in ("batch", "patch", "scale", "validate_every", "ablation_iters") and value < 1:
            raise SrlabError(f"The parameter {name}={value} must be at least 1.")
    if values.get("iters", 1) < 1:
        raise SrlabError(f"iters={values['iters']} must be at least 1: it is the total number of training steps.")


def _assignments(cells: list[str], beginning: str) -> dict[str, ast.expr]:
    """Names and values that the last cell with this beginning assigns; papermill writes NaN as a call."""
    source = next((cell for cell in reversed(cells) if cell.startswith(beginning)), "")
    return {node.targets[0].id: node.value for node in ast.parse(source).body if isinstance(node, ast.Assign)}


def describe(device: Any, precision: str) -> str:
    """Versions, hardware and places, in four lines."""
    import torch

    hardware = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    numbers = {"no": "float32", "bf16": "bfloat16 mixed precision", "fp16": "float16 mixed precision"}[precision]
    data = f"{len(srlab.datasets.PHOTOS)} photos inside scikit-image and matplotlib, no download"
    return (
        f"srlab {srlab.__version__}, torch {torch.__version__}, Python {platform.python_version()}\n"
        f"device:  {device.type} ({hardware}), {numbers}\n"
        f"photos:  {data}\n"
        f"runs in: {_short(srlab.runs.home())}"
    )


def _short(path: Path) -> str:
    """Return a path relative to the working directory where that is shorter."""
    return min(str(path), os.path.relpath(path), key=len)


def show(*objects: Any) -> None:
    """Show the source of functions or classes of srlab in the notebook, with the place where it stands.

    Of each docstring only the description is shown; the lists of parameters stay in the file.
    """
    from IPython.display import Markdown, display

    for thing in objects:
        lines, first = inspect.getsourcelines(thing)
        file = Path(inspect.getsourcefile(thing))
        package = Path(srlab.__file__).parent
        place = file.relative_to(package.parent).as_posix() if file.is_relative_to(package) else file.name
        source = re.sub(r'\n+( *)(Parameters|Returns|Raises|Attributes)\n *---[\s\S]*?"""', _close, "".join(lines))
        place = f"`{thing.__name__}`, from `{place}`, line {first}:"
        display(Markdown(f"{place}\n\n```python\n{source}```"))


def _close(lists: re.Match) -> str:
    """End a docstring before its lists of parameters: on the same line if it is only one."""
    before = lists.string[: lists.start()]
    one_line = "\n" not in before[before.rindex('"""') :]
    return '"""' if one_line else f'\n{lists[1]}"""'


def headline(label: str, value: float, unit: str = "") -> None:
    """Print a lab's main figure, and leave it in the output where ``make labs`` and the tests read it.

    Parameters
    ----------
    label, value, unit
        What was measured, the number, and its unit.
    """
    from IPython.display import display

    text = f"{label}: {value:.2f} {unit}".rstrip()
    figures = {"label": label, "value": value, "unit": unit, "peak_memory_mib": srlab.devices.peak_memory_mib()}
    display({"text/plain": text, HEADLINE: figures}, raw=True)


def _shell() -> Any:
    try:
        from IPython import get_ipython
    except ImportError:  # srlab without its `labs` extra, in a plain script
        return None
    return get_ipython()
