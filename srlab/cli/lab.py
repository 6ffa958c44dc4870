"""What the first and last cells of a notebook call: `setup`, `show`, `headline`."""

import ast
import difflib
import inspect
import math
import os
import platform
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import srlab
from srlab.base import devices, files, places
from srlab.base.errors import SrlabError
from srlab.cli.notebooks import HEADLINE, seen_from_here
from srlab.cli.recipes import Recipe, pick_recipe, read_recipes
from srlab.models import pretrained
from srlab.training.runs import ADVICE
from srlab.view import plots

DECLARED = "# Parameters of this lab"  # how the cell with the defaults begins; a lint test holds the labs to it
# Those of all labs, looked for where the notebook keeps no history.
PARAMETERS = ("recipe", "iters", "run", "images", "validation", "backbone", "scale", "seed", "device", "precision")
PARAMETERS += ("compiled", "tricks", "runs", "photo", "benchmark", "benchmarks", "lpips")
INJECTED = "# Parameters\n"  # how the cell begins that papermill adds after it
# What a run's name needn't tell: it says the recipe and the steps by itself, and the rest acts on no weight.
PLAIN = {"iters", "run", "recipe", "tricks", "device", "precision", "compiled", "photo", "benchmark"}
SEEN_OFTEN = 200  # times that a training sees each pixel, from which on it may learn photos by heart
FEW = 30  # megapixels of photos, on which a network of the papers' size isn't trained without a word
LONGEST = 100  # letters of a run's name, so that its side runs can have longer ones
ROOM = 100_000_000  # bytes; the runs of a lab of the laptop take from 14 MB to 430 MB
LONG = 2000  # steps from which on random or small features hold a training back


class Lab(SimpleNamespace):
    """What `setup` found out: each parameter and each number of the recipe is an attribute, such as ``lab.batch``.

    Attributes
    ----------
    name
        Of the lab, the folder of its runs.
    recipe
        Name of the recipe in use.
    iters, run
        Steps of the main stage, and the name of its run, as they were chosen.
    device, precision
        To train with, already chosen.
    train_set, unseen
        Photos to train on, and others to validate on, of a lab with recipes. Both halves of one photo where the recipe
        has a ``subject`` and nobody named others.
    parameters
        All values by name.
    as_tried
        Whether this is what the lab's claims were measured on: a recipe of the course without changes, on a CPU.
    """

    @property
    def hardware(self) -> dict[str, Any]:
        """What `srlab.Trainer` is told of the machine: device, precision, and how networks are compiled."""
        return {"device": self.device, "precision": self.precision, "compiled": self.parameters.get("compiled", "")}

    def expect(self, holds: bool, claim: str) -> None:
        """Hold what the text says against what was computed; a cell tagged ``check`` calls it.

        Parameters
        ----------
        holds
            Whether it is so.
        claim
            The sentence, without a full stop.

        Raises
        ------
        SrlabError
            It is not so, in a lab as it was tried, and ``SRLAB_CLAIMS=1`` is set, as ``make labs`` does. A reader gets
            a line to read instead.
        """
        if holds:
            return
        if self.as_tried and places.switched_on("SRLAB_CLAIMS"):
            raise SrlabError(f"What the lab says does not hold: {claim}.")
        print(f"Not so here: {claim}. The text speaks of the lab as it comes; other settings can turn out otherwise.")


def setup(name: str) -> Lab:
    """Choose a lab's recipe, check its parameters, print what will be done, and choose the colours of its figures.

    The parameters are those that the notebook's cell of defaults assigns, and the entries of its recipe. Papermill
    takes any ``-p`` name, known or not, so a slip would go unnoticed: this is where it is caught.

    Parameters
    ----------
    name
        Of the lab, for example ``"01_srresnet"``.

    Returns
    -------
    Lab
        Parameters, numbers of the recipe, device, precision and photos.

    Raises
    ------
    SrlabError
        A parameter is unknown or has the wrong type, the run could not be kept, the device is not there, or a strict
        recipe has too few photos.
    """
    import matplotlib.pyplot as plt

    shell = _shell()
    scope = inspect.currentframe().f_back.f_globals if shell is None else shell.user_ns
    cells = [str(cell) for cell in scope.get("In", [])]
    declared = {key: ast.literal_eval(value) for key, value in _assignments(cells, DECLARED).items()}
    if not declared:  # a script that was made of the notebook, or nbval, which keeps no history
        declared = {key: scope[key] for key in PARAMETERS if key in scope}
    named = dict.fromkeys([*declared, *_assignments(cells, INJECTED)])
    values = {key: scope[key] for key in named}
    book = read_recipes(places.recipes() / f"{name}.yaml") if "recipe" in declared else {}
    numbers = book["laptop"]["values"] if book else {}
    # A number of the recipe that -p gives is a change to the recipe, like one in the notebook's tricks.
    tricks = values.get("tricks", {}) | {key: values.pop(key) for key in named if key in numbers and key != "iters"}
    tricks = {key: _list(value) if isinstance(numbers.get(key), list) else value for key, value in tricks.items()}
    check_parameters(numbers | declared, values | tricks, [*named, *tricks])
    if "run" in values:
        check_run(name, values["run"])
    device = srlab.pick_device(values.get("device", "auto"))
    precision = srlab.pick_precision(values.get("precision", "auto"), device)
    plt.rcParams["axes.prop_cycle"] = plots.line_styles()
    print(describe(device, precision))
    if values.get("device") == "auto" and device.type == "cpu" and (reason := devices.unused_gpu()):
        print(f"WARNING: {reason}")
    lab = Lab(name=name, device=device, precision=precision, recipe="", as_tried=False)
    if book:
        lab.train_set = _photos(values.get("images", ""), values.get("scale", 4))
        recipe = _recipe_for(lab, book, values, tricks)
        changed = {key: value for key, value in values.items() if key not in PLAIN and value != declared[key]}
        written = book[recipe.name]
        as_written = recipe.values in (written["values"], written["values"] | written.get("without_weights", {}))
        as_written &= not changed.keys() - {"seed", "backbone"}
        lab.as_tried = as_written and recipe.name in ("laptop", "smoke") and device.type == "cpu"
        asked = values.get("iters", 0)
        values |= recipe.values | {"recipe": recipe.name}
        values["run"] = values.get("run") or _run_name(recipe, asked, changed | tricks)
        if values.get("images") or values.get("validation"):
            values["subject"] = ""
        if values.get("subject"):
            lab.train_set, lab.unseen = srlab.halves(values["subject"])
        else:
            lab.unseen = _unseen(values)
        _announce(lab, recipe, values)
    vars(lab).update({key: value for key, value in values.items() if key not in ("device", "precision")})
    lab.parameters = values
    return lab


def _recipe_for(lab: Lab, book: dict[str, Any], values: dict[str, Any], tricks: dict[str, Any]) -> Recipe:
    """The recipe that is asked for or that fits, laid out for the number of steps, with what the reader changed."""
    facts = {"device": lab.device.type, "iters": values.get("iters", 0), "memory_gib": _memory_gib(lab.device)}
    facts |= {"processes": int(os.environ.get("WORLD_SIZE", 1)), "megapixels": _megapixels(lab.train_set)}
    recipe = pick_recipe(book, values["recipe"], facts)
    if "backbone" in values and not _real(recipe.values["features"], values["backbone"]):
        without = pick_recipe(book, recipe.name, facts, real_features=False)
        note = f"; without ImageNet weights it has features and losses for {pretrained.OWN}, the course's own network"
        note = note if without.values != recipe.values else ""
        recipe = replace(without, why=recipe.why + note)
    return recipe.laid_out(facts["iters"]).changed_by(tricks)


def _list(value: Any) -> Any:
    """A list that papermill's -p has handed on as the text that was typed."""
    import yaml

    return yaml.safe_load(value) if isinstance(value, str) and value.startswith("[") else value


def _photos(images: str, scale: int) -> Any:
    """The photos to train on: a folder or a named set, or those inside the packages where nothing is named."""
    return srlab.image_set(images, scale) if images else srlab.photos("train")


def _unseen(values: dict[str, Any]) -> Any:
    """The photos to validate on, whole or their middle."""
    if values.get("validation"):
        found = srlab.image_set(values["validation"], values["scale"])
    else:
        found = srlab.photos("validation").subset(*values["photos"].split())
    return found.center_crop(values["center_crop"]) if values.get("center_crop") else found


def _memory_gib(device: Any) -> float:
    import torch

    return torch.cuda.get_device_properties(device).total_memory / 2**30 if device.type == "cuda" else 0.0


def _real(features: str, backbone: str) -> bool:
    """Whether trained weights of the content loss are at hand, or will be downloaded."""
    if backbone in ("random", "auto"):
        return backbone == "auto" and pretrained.find_weights(features.split()[0]) is not None
    return True


def _megapixels(images: Any) -> float:
    return sum(image.shape[1] * image.shape[2] for image in images.hr) / 1e6


def _run_name(recipe: Recipe, iters: int, changed: dict[str, Any]) -> str:
    """A name that the same command gives again, and another one does not: ``default``, ``gpu-100000``."""
    parts = [recipe.name, *([str(iters)] if iters else [])]
    parts += [f"{key}-{Path(value).name if isinstance(value, str) else value}" for key, value in changed.items()]
    name = re.sub(r"[^A-Za-z0-9._]+", "-", "-".join(parts)).strip("-")
    if len(name) > LONGEST:
        raise SrlabError("So many changes make no name for a run; give it one with the parameter run.")
    return "default" if name == "laptop" else name  # the run that other labs look for


def _announce(lab: Lab, recipe: Recipe, values: dict[str, Any]) -> None:
    """Say what will be trained, on what, how long and why, and what would be better."""
    print(f"recipe:  {recipe.name}, {recipe.about}")
    if not values.get("iters"):  # nothing to train
        return
    photos = f"of {lab.train_set.name}" if values.get("images") else "inside scikit-image and matplotlib"
    photos = f"{len(lab.train_set)} photos {photos} ({_megapixels(lab.train_set):.1f} megapixels)"
    photos = f"the {lab.train_set.name}" if values.get("subject") else photos
    first = values.get("pretrain_iters", 0)
    first = f"{first:,} steps for PSNR (unless that is done already), then " if first else ""
    size = f"of {values['batch']} patches of {values['patch']} px"
    print(f"because  {recipe.why}")
    print(f"trains:  {first}{values['iters']:,} steps {size}, on {photos}")
    print(f"run:     {lab.name}/{values['run']}")
    if _shell() is not None:
        from IPython.display import display

        display({"text/html": recipe.table(), "text/plain": ""}, raw=True)
    warnings = _warnings(lab, values)
    if warnings and recipe.strict:
        raise SrlabError(f"The recipe {recipe.name} refuses what would spoil it. {' '.join(warnings)}")
    for warning in warnings:
        print(f"WARNING: {warning}")


def _warnings(lab: Lab, values: dict[str, Any]) -> list[str]:
    """What stands in the way of a good result, and the words that change it."""
    found, pixels, iters = [], _megapixels(lab.train_set), values.get("iters", 0)
    seen = (
        (iters + values.get("pretrain_iters", 0)) * values.get("batch", 0) * values.get("patch", 0) ** 2 / 1e6 / pixels
    )
    few = seen > SEEN_OFTEN and (iters > LONG or not values.get("subject"))  # a subject is to be learned by heart
    if few or (iters > LONG and values.get("size") == "paper" and pixels < FEW):
        found.append(
            f"{len(lab.train_set)} photos ({pixels:.1f} megapixels) are few for this training: it sees each pixel "
            f"{seen:,.0f} times, and the larger the network, the more of them it learns by heart. Better: "
            "-p images div2k (800 photos, downloaded once, 4 GB), or -p images path/to/photos."
        )
    looks = "backbone" in values and values["content_weight"] and iters > LONG
    random = looks and not _real(values["features"], values["backbone"])
    if random or (looks and values["features"].startswith(pretrained.OWN)):
        found.append(
            f"The content loss looks through {'random features' if random else 'the small features of the course'}, "
            "because there are no ImageNet weights here. "
            "Better: -p backbone imagenet (downloaded once), or -p backbone path/to/weights."
        )
    return found


def check_parameters(declared: dict[str, Any], values: dict[str, Any], given: list[str]) -> None:
    """Refuse unknown names, values of another type than the default, and numbers that make no sense.

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
    if values.get("iters", 0) < 0:
        raise SrlabError(f"iters={values['iters']} is the total number of training steps; 0 takes the recipe's.")


def check_run(lab: str, run: str) -> None:
    """Refuse a run that could not be kept; after this nothing is found out late but what fills the disk meanwhile.

    Parameters
    ----------
    lab, run
        Names; "" stands for one that is still to be made.

    Raises
    ------
    SrlabError
        The name is no good, or its folder cannot be made or written to.
    """
    folder = places.run_folder(lab, run or "default")
    if len(run.encode()) > LONGEST:
        raise SrlabError(f"The name '{run}' of the run is too long; use one of at most {LONGEST} letters.")
    files.check_writable(folder, ADVICE)
    files.need_room(folder, ROOM, "A run", ADVICE)


def _assignments(cells: list[str], beginning: str) -> dict[str, ast.expr]:
    """Names and values that the last cell with this beginning assigns; papermill writes NaN as a call."""
    source = next((cell for cell in reversed(cells) if cell.startswith(beginning)), "")
    return {node.targets[0].id: node.value for node in ast.parse(source).body if isinstance(node, ast.Assign)}


def describe(device: Any, precision: str) -> str:
    """Versions, hardware and where the runs are, in three lines."""
    import torch

    hardware = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    numbers = {"no": "float32", "bf16": "bfloat16 mixed precision", "fp16": "float16 mixed precision"}[precision]
    return (
        f"srlab {srlab.__version__}, torch {torch.__version__}, Python {platform.python_version()}\n"
        f"device:  {device.type} ({hardware}), {numbers}\n"
        f"runs in: {seen_from_here(srlab.home())}"
    )


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
    figures = {"label": label, "value": value, "unit": unit, "peak_memory_mib": devices.peak_memory_mib()}
    display({"text/plain": text, HEADLINE: figures}, raw=True)


def _shell() -> Any:
    try:
        from IPython import get_ipython
    except ImportError:  # srlab without its `labs` extra, in a plain script
        return None
    return get_ipython()
