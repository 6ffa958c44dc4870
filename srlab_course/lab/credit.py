"""Whose code it was: the student's if a function is from her notebook, or if a run's ``code.py`` defines an answer.

The caption of each figure with something that was trained has a sentence by `credit`. It is made where the training
is, and names its section, all answers that took part, and the run of each network that comes from elsewhere.

A run is a copied one if no lab on this machine wrote its ``code.py``: `srlab_course.lab.run_code`. It is the course's
if a lab did, and nothing in it is the student's.
"""

from typing import Any

from srlab.errors import SrlabError
from srlab.training.runs import Run
from srlab_course.feedback import all_exercises
from srlab_course.lab.answer_text import defined_in, imported_in
from srlab_course.lab.run_code import read_code
from srlab_course.layout import in_lines

WHOSE = {"you": "your", "the course": "the course's", "others": "copied"}


def credit(*answers: Any, did: str = "Trained with", **networks: Any) -> str:
    """Print what is from the student and what is from the course, and return it as a sentence for a caption.

    Parameters
    ----------
    answers
        Functions and classes that made a result, as `course.check` returned them.
    did
        Beginning of the sentence, such as "Trained in section 5 with".
    networks
        Label -> network, or its origin: ``"LAB/RUN"``, or another text if it comes with the course.
    """
    found: dict[str, list[str]] = {owner: [] for owner in WHOSE}
    for answer in answers:
        inner = getattr(answer, "func", answer)  # of a partial
        found["you" if is_yours(inner) else "the course"].append(getattr(inner, "__name__", type(inner).__name__))
    for label, network in networks.items():
        origin = network if isinstance(network, str) else getattr(network, "origin", "")
        own, others = _answers_in(origin)
        rest = f"; {WHOSE['the course']} {', '.join(others)}" if own and others else ""
        owner = "others" if _is_copied(origin) else "you" if own else "the course"
        found[owner].append(f"{label} ({origin}{rest})" if origin else label)
    for owner, names in found.items():
        if names:
            print(in_lines(f"{WHOSE[owner]} code: ", ", ".join(names)))
    parts = [f"{WHOSE[owner]} {', '.join(names)}" for owner, names in found.items() if names]
    return f"{did} {' and '.join(parts) or 'code of the course'}."


def whose(origin: str) -> str:
    """Return in a few words whose code trained a network, with its run, given its origin "LAB/RUN"."""
    if _is_copied(origin):
        return f"a copied run ({origin})"
    own, others = _answers_in(origin)
    both = f"your {', '.join(own)}" + (f" and the course's {', '.join(others)}" if others else "")
    return f"{both if own else 'the code of the course'} ({origin})"


def is_own(origin: str) -> bool:
    """Return whether an answer written here trained a network, given its origin: "LAB/RUN", or another text."""
    return bool(_answers_in(origin)[0])


def _answers_in(origin: str) -> tuple[list[str], list[str]]:
    """Return which answers trained a network, given its origin: those written here, and the course's; both sorted."""
    run = _run_of(origin)
    text = (read_code(run) if run else None) or ""
    answers = {exercise.partition(".")[2] for exercise in all_exercises.names()}
    own = defined_in(text)
    return sorted(own & answers), sorted(imported_in(text) & answers - own)


def _is_copied(origin: str) -> bool:
    """Return whether an origin is a run whose code no lab on this machine wrote."""
    run = _run_of(origin)
    return run is not None and read_code(run) is None


def _run_of(origin: str) -> Run | None:
    """Return the run of an origin, or None for another text."""
    lab, _, name = origin.partition("/")
    try:
        return Run(lab, name) if name else None
    except SrlabError:
        return None


def is_yours(answer: Any) -> bool:
    """Return whether an answer is the student's: neither a fallback, which has a verdict, nor code of srlab."""
    module = (getattr(answer, "__module__", "") or "").partition(".")[0]
    return not hasattr(answer, "verdict") and module not in ("srlab", "srlab_course")
