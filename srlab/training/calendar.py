"""When a training run is logged, validated and saved."""

import time

LOG_EVERY = 10  # steps between rows of the log; reading the losses waits for the device
SAVE_EVERY_S = 300  # seconds between checkpoints if no validation is due


class Calendar:
    """The steps after which a run is logged, validated and saved.

    Validations are due every `validate_every` steps, after a quarter and after half of the first interval, and at the
    end. Each of them also gets a row in the log, and a checkpoint.
    """

    def __init__(self, iters: int, validate_every: int) -> None:
        self.iters, self.validate_every = iters, validate_every
        self.early = {max(1, validate_every // 4), max(1, validate_every // 2)}
        self.saved_at = time.monotonic()

    def validates(self, step: int) -> bool:
        """Return whether a validation is due after a step, counted from 1."""
        return step in self.early or step % self.validate_every == 0 or step == self.iters

    def logs(self, step: int) -> bool:
        """Return whether the losses of a step are logged."""
        return step % LOG_EVERY == 0 or self.validates(step)

    def saves(self, step: int) -> bool:
        """Return whether a checkpoint is due; between validations only after `SAVE_EVERY_S` without one."""
        late = step % LOG_EVERY == 0 and time.monotonic() - self.saved_at > SAVE_EVERY_S
        return late or self.validates(step)

    def note_save(self) -> None:
        """Count the time to the next checkpoint from now."""
        self.saved_at = time.monotonic()
