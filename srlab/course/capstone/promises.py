"""The form of a check: it yields promises, which are printed as kept or broken."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch

from srlab.course.checks import say
from srlab.course.exercise import TODO, NotAttempted
from srlab.course.judging import stopped

# Whether it is kept; the promise, with what was measured; a hint in case it is broken.
Promise = tuple[bool, str, str]


def prints_promises(promises: Callable[..., Iterator[Promise]]) -> Callable[..., None]:
    """Turn a generator of promises about answers into a check, which prints one line per promise.

    A broken promise is followed by its hint. If an answer is `TODO`, the check prints that it isn't written yet. An
    error in the student's code is printed and ends the check.
    """

    @functools.wraps(promises)
    def check(*answers: Any) -> None:
        if any(answer is TODO for answer in answers):
            say("to do", "Not written yet.")
            return
        try:
            with torch.random.fork_rng(devices=[]), torch.enable_grad():
                for kept, text, hint in promises(*answers):
                    say("kept" if kept else "broken", text)
                    if not kept:
                        say("hint", hint)
        except NotAttempted:
            say("to do", "Not written yet: your code returns course.TODO.")
        except Exception as error:
            say("broken", f"{stopped(error, answers[0]).removesuffix('.')}.")

    return check
