"""Answers to an earlier lab: those that trained the run named like this lab's, else the lab's "default"."""

from typing import Any

from srlab.training.runs import run_called
from srlab_course.feedback.all_exercises import find
from srlab_course.lab.earlier.trained import run_like
from srlab_course.lab.run_code import import_code
from srlab_course.lab.shared_settings import TrainingLab


def from_earlier_lab(lab: TrainingLab, earlier: str, *names: str) -> list[Any]:
    """Return the answers that trained the run of an earlier lab, from its ``code.py``, and print their origin.

    The course's replace them if there is no run, or if its code was not written on this machine.

    Parameters
    ----------
    earlier
        Name of the earlier lab, such as ``"03_srgan"``.
    names
        Full names of exercises, such as ``"srgan.train_step"``.
    """
    origin = run_like(lab, earlier)
    module = import_code(run_called(origin)) if origin else None
    answers = {name: getattr(module, name.partition(".")[2], None) for name in names}
    missing = f"{origin} has none that a lab wrote here" if origin else f"lab {earlier[:2]} has no finished run"
    reasons = {missing: [name for name, answer in answers.items() if answer is None]}
    reasons[f"it trained {origin}"] = [name for name, answer in answers.items() if answer is find(name).reference]
    for why, ours in reasons.items():
        if ours:
            print(f"{', '.join(name.partition('.')[2] for name in ours)}: the course's, because {why}.")
    return [find(name).reference if answer is None else answer for name, answer in answers.items()]
