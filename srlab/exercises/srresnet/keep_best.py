"""Lab 01: which checkpoint to keep."""

from collections.abc import Sequence

from srlab.exercises import Answer, Exercise


def keep_best(history: Sequence[dict[str, float]]) -> int:
    """Return the step with the highest PSNR, the earliest if several share it.

    Parameters
    ----------
    history
        One dict per validation, in order: ``step``, ``psnr`` in dB, ``ssim``.

    Returns
    -------
    int
        The step, not its PSNR.
    """
    return max(history, key=lambda entry: entry["psnr"])["step"]  # of equals, max takes the first


def _running(kept: str = "psnr", start: float = 0.0, step: int | None = None, equal: bool = False) -> Answer:
    """Go through the history with a best so far, which begins somewhere; `kept` is what is remembered of it."""

    def keep(history: Sequence[dict[str, float]]) -> int | None:
        best, found = start, step
        for entry in history:
            if entry["psnr"] > best or (equal and entry["psnr"] == best):
                best, found = entry[kept], entry["step"]
        return found

    return keep


def _never_set(history: Sequence[dict[str, float]]) -> int:
    best = 0.0
    for entry in history:
        if entry["psnr"] > best:
            best, step = entry["psnr"], entry["step"]
    return step


def _history(*rows: tuple[int, float, float]) -> tuple[list[dict[str, float]]]:
    return ([{"step": step, "psnr": psnr, "ssim": ssim} for step, psnr, ssim in rows],)


EXERCISE = Exercise(
    keep_best,
    level="easy",
    cases={
        "the step with the highest PSNR": _history(
            (100, 26.1, 0.70), (200, 28.4, 0.74), (300, 27.9, 0.80), (400, 27.2, 0.79)
        ),
        "the earliest of equals": _history((100, 26.1, 0.70), (200, 28.4, 0.74), (300, 28.4, 0.80), (400, 27.2, 0.79)),
        "a start below 0 dB": _history((10, -5.0, 0.01), (20, -2.0, 0.02), (30, -3.0, 0.02)),
    },
    mistakes={
        "That is the last step. A comparison that is always true keeps the newest: what is PSNR, in dB, compared with "
        "in your code? SSIM is never above 1.": [
            _running(kept="ssim"),
            _running(kept="ssim", start=float("-inf")),
            lambda history: history[-1]["step"],
        ],
        "That is the step with the best SSIM. Here PSNR decides.": (
            lambda history: max(history, key=lambda entry: entry["ssim"])["step"]
        ),
        "That is the PSNR itself. The lab needs the step that it belongs to.": (
            lambda history: max(entry["psnr"] for entry in history)
        ),
        "That is the whole entry. The lab needs its step, to find the checkpoint.": (
            lambda history: max(history, key=lambda entry: entry["psnr"])
        ),
        "That is a position in the list. The lab needs the step that is written there.": (
            lambda history: max(range(len(history)), key=lambda i: history[i]["psnr"])
        ),
        "That is the worst of all, or the first. Is higher PSNR better or worse?": [
            lambda history: min(history, key=lambda entry: entry["psnr"])["step"],
            lambda history: history[0]["step"],
        ],
        "Two steps have the same PSNR and yours is the later one. What does >= do that > does not?": (
            _running(start=float("-inf"), equal=True)
        ),
        "An untrained network can have a PSNR below 0 dB. With what does your running best begin?": [
            _running(),
            _running(step=0),
            _running(step=-1),
            lambda history: _running(step=history[0]["step"])(history),
            _never_set,
        ],
    },
    also_right=[_running(start=float("-inf"))],
    hints=(
        "Go through the validations in order and remember the best so far, and where it was.",
        "Compare PSNR with PSNR, begin with the first entry, and replace it only when the new one is truly higher.",
    ),
)
