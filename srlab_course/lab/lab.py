"""The settings of a lab, returned by `course.setup`."""

import difflib
import math
import os
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from IPython.display import display

from srlab import models
from srlab.data.degradation import Degradation
from srlab.data.image_set import ImageSet
from srlab.errors import SrlabError
from srlab.models.generator import config_of
from srlab.training.manifests import LabNotes
from srlab_course.lab.settings import STAGES, Settings
from srlab_course.lab.sizes import check_limit, pick_size
from srlab_course.notebook_files.marks import CLAIM


@dataclass(frozen=True, eq=False)
class Lab(Settings):
    """A lab as `course.setup` prepared it: an instance of the chosen recipe, with the changes of the user.

    Each setting is an attribute: ``lab.batch`` is ``lab.parameters["batch"]``. The lab's file in ``notebooks/recipes/``
    declares them with a description and a unit.

    Attributes
    ----------
    device, precision
        Device and precision for training.
    train_set, unseen
        Photos for training and for validation. With a ``subject``, they are the two halves of one photo.
    degradation
        How LR images are made from HR images.
    overrides
        Recipe settings that were changed, with their new values.
    is_reference_config
        Whether the lab's claims were measured with these settings: a recipe without changes, on a CPU.
    parameters
        Parameters and entries of the recipe; ``recipe`` and ``run`` are the chosen names.
    changed
        The overrides, and all other changed parameters that affect training.
    beyond_answers
        Settings with a value that the lab's answers cannot follow. If there are any, srlab's code trains.
    """

    name: str
    device: torch.device
    precision: str
    train_set: ImageSet = field(repr=False)
    unseen: ImageSet = field(repr=False)
    degradation: Degradation
    overrides: dict[str, Any]
    is_reference_config: bool
    parameters: dict[str, Any]
    changed: dict[str, Any] = field(default_factory=dict)
    beyond_answers: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Set the attributes."""
        names = self.parameters.keys() - {one.name for one in fields(self)}  # device and precision, as chosen
        vars(self).update({name: self.parameters[name] for name in names})

    if not TYPE_CHECKING:  # a type checker rejects unknown names itself

        def __getattr__(self, name: str) -> Any:
            """Reject an unknown name with the most similar ones."""
            if name.startswith("_"):  # copy and pickle look these up before there are fields
                raise AttributeError(name)
            near = difflib.get_close_matches(name, [one for one in dir(self) if not one.startswith("_")])
            hint = f". Did you mean {' or '.join(near)}?" if near else f". It has {', '.join(self.parameters)}."
            raise AttributeError(f"The lab {self.name} has no {name}{hint}")

    @property
    def trainer_kwargs(self) -> dict[str, Any]:
        """Arguments for `srlab.Trainer` in each of the lab's runs: the hardware, and what `course.setup` looks up."""
        hardware = {"device": self.device, "precision": self.precision, "launch": self.parameters.get("launch", "auto")}
        notes: LabNotes = {
            "lab_run": self.parameters["run"],
            "recipe": self.parameters["recipe"],
            "changed": self.changed,
            "steps": {stage: self.parameters[stage] for stage in STAGES if stage in self.parameters},
        }
        return hardware | {"notes": notes}

    def expect(
        self,
        claim: str,
        value: Any,
        *,
        above: float = -math.inf,
        below: float = math.inf,
        ratio: bool = False,
        usually: bool = False,
    ) -> None:
        """Check a claim in the lab's text against a measured value; called from ``notebooks/claims/``.

        The value is saved in the cell's output, where ``make seeds`` reads it. A false claim raises an error, unless
        ``SRLAB_CLAIMS`` is ``record``.

        Parameters
        ----------
        claim
            The sentence, without a period.
        value
            The measured number, or a bool for a fact that does not depend on random numbers.
        above, below
            Bounds: the claim is true if ``above < value < below``.
        ratio
            Whether the value is a positive ratio; ``make seeds`` then compares logarithms.
        usually
            Whether the claim is only about most seeds. ``make seeds`` counts these claims; they never raise an error.
        """
        exact = (above, below) == (-math.inf, math.inf)
        if exact and not isinstance(value, (bool, np.bool_)):
            raise SrlabError(f"The claim '{claim}' has no bound. Pass above= or below=, or a bool as the value.")
        value = float(value)
        holds = value == 1 if exact else above < value < below
        record = {"claim": claim, "value": value, "exact": exact, "holds": holds, "ratio": ratio, "usually": usually}
        record |= {word: bound for word, bound in (("above", above), ("below", below)) if math.isfinite(bound)}
        display({"text/plain": f"{claim}: {value:.4g}", CLAIM: record}, raw=True)
        if not holds and not usually and os.environ.get("SRLAB_CLAIMS") != "record":
            bounds = " and ".join(f"{word} {record[word]:g}" for word in ("above", "below") if word in record)
            measured = f" ({value:.4g}, must be {bounds})" if bounds else ""
            raise SrlabError(f"This claim of the lab is false: {claim}{measured}.")


def generator_of(values: dict[str, Any]) -> dict[str, Any]:
    """Return name and arguments of the recipe's generator, as in a manifest. Check the parameter limit first."""
    network, changes = values.get("network", "RRDBNet"), {"num_blocks": values["num_blocks"]}
    if "growth" in values:
        changes |= {"num_features": values["num_features"], "growth": values["growth"]}
    shape = pick_size(values["size"], network, **changes)
    shape |= {key: values[key] for key in ("fusion", "residual_scale", "scale") if key in values}
    with torch.device("meta"):  # only shapes, no memory
        generator = models.GENERATORS[network](**shape)
    check_limit(generator, values.get("parameter_limit", 0))
    return {"network": network} | config_of(generator)
