"""What `srlab.setup` makes of a lab's parameters and its recipe, for the cells after it."""

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from srlab.base.errors import SrlabError
from srlab.data.datasets import ImageSet
from srlab.data.degradation import Degradation
from srlab.training import starts
from srlab.training.runs import Run

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class Lab:
    """What `srlab.setup` found out; ``lab.batch`` is ``lab.parameters["batch"]``, and so for each of the parameters.

    Attributes
    ----------
    name
        Of the lab, the folder of its runs.
    device, precision
        To train with, already chosen.
    train_set, unseen
        Photos to train on, and others to validate on. Both halves of one photo where the recipe has a ``subject`` and
        nobody named others.
    degradation
        How LR is made from HR.
    tricks
        The entries of the recipe that were changed.
    as_tried
        Whether this is what the lab's claims were measured on: a recipe of the course without changes, on a CPU.
    parameters
        What was typed, and the numbers of the recipe, by name; ``recipe`` and ``run`` are those that were chosen.
    """

    name: str
    device: "torch.device"
    precision: str
    train_set: ImageSet = field(repr=False)
    unseen: ImageSet = field(repr=False)
    degradation: Degradation
    tricks: dict[str, Any]
    as_tried: bool
    parameters: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        """A parameter or a number of the recipe; Python asks here for what is neither a field nor a method."""
        if name.startswith("_"):  # what Python itself looks for, in a copy that has no fields yet as well
            raise AttributeError(name)
        if name in self.parameters:
            return self.parameters[name]
        near = difflib.get_close_matches(name, [one for one in dir(self) if not one.startswith("_")])
        hint = f"; did you mean {' or '.join(near)}?" if near else f"; it has {', '.join(self.parameters)}."
        raise AttributeError(f"The lab {self.name} has no {name}{hint}")

    def __dir__(self) -> set[str]:
        """All that the Tab key offers after ``lab.``."""
        return {*super().__dir__(), *self.parameters}

    @property
    def hardware(self) -> dict[str, Any]:
        """What `srlab.Trainer` is told of the machine: device, precision, and how networks are compiled."""
        return {"device": self.device, "precision": self.precision, "compiled": self.parameters.get("compiled", "")}

    @property
    def wanted(self) -> starts.Wanted:
        """What a network must fit for this lab to begin with it."""
        free = {"network", "pretrain_iters"} <= set(self.parameters)  # in lab 03 they are of a start of its own
        return starts.Wanted(generator_of(self.parameters), self.degradation, self.train_set, self.unseen, free)

    def find_start(self, lab: str = "", steps: int = 0, **alike: Any) -> tuple[Any, str]:
        """The network that the training begins with, and where it comes from; see `srlab.training.starts.find_start`.

        Parameters
        ----------
        lab, steps, **alike
            Among whose runs to look for one where the recipe's is not there, and what such a run must be.
        """
        begun = starts.begun_with(Run(self.name, self.run))
        return starts.find_start(self.start, self.wanted, "start" in self.tricks, begun, lab, steps, **alike)

    def expect(self, holds: bool, claim: str) -> None:
        """Hold what the text says against what was computed; the blocks in ``notebooks/claims/`` call it.

        Parameters
        ----------
        holds
            Whether it is so; nothing is asked of a lab with other settings than it was tried with.
        claim
            The sentence, without a full stop.

        Raises
        ------
        SrlabError
            It is not so.
        """
        if self.as_tried and not holds:
            raise SrlabError(f"What the lab says does not hold: {claim}.")


def generator_of(values: dict[str, Any]) -> dict[str, Any]:
    """Name and arguments of the generator that the recipe asks for, as a manifest has them.

    Raises
    ------
    SrlabError
        There is no such network, or it has more parameters than the recipe's limit.
    """
    import torch

    from srlab import models

    network, changes = values.get("network", "RRDBNet"), {"blocks": values["blocks"]}
    if "growth" in values:
        changes |= {"features": values["width"], "growth": values["growth"]}
    shape = models.pick_size(values["size"], network, **changes)
    shape |= {key: values[key] for key in ("fusion", "beta") if key in values}
    with torch.device("meta"):  # shapes alone
        generator = models.GENERATORS[network](**shape, scale=values["scale"])
    models.check_limit(generator, values.get("parameter_limit", 0))
    return {"network": network} | generator.config
