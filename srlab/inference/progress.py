"""The progress of an upscaling: a bar where one can move, and a few lines elsewhere."""

import sys
import time

from tqdm.auto import tqdm

from srlab.base.shell import running_shell


class Lines:
    """What begins, then a line at each tenth of it: for a log, in which a bar would be one endless line."""

    def __init__(self, total: int, what: str) -> None:
        self.n, self.total, self._what = 0, total, what
        self._tenths, self._start = 0, time.monotonic()
        print(f"{what} ...", file=sys.stderr, flush=True)

    def update(self, pixels: int) -> None:
        """Count pixels that are done; says how long the rest may take, if that's a tenth more."""
        self.n += pixels
        tenths = 10 * self.n // self.total
        if self._tenths < tenths < 10:  # the end is said by whoever waits for it
            self._tenths, spent = tenths, time.monotonic() - self._start
            rest = tqdm.format_interval(spent * (self.total / self.n - 1))
            said = f"{self._what}: {10 * tenths} % after {tqdm.format_interval(spent)}, about {rest} to go"
            print(said, file=sys.stderr, flush=True)

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, *_: object) -> None:
        pass


def show_progress(total: int, tiles: int, label: str | None, shown: bool) -> tqdm | Lines:
    """A bar over `total` pixels in a terminal or a notebook, and `Lines` elsewhere; neither if it isn't shown."""
    if shown and not sys.stderr.isatty() and not hasattr(running_shell(), "kernel"):
        return Lines(total, f"{label or 'upscaling'}, {tiles} {'tile' if tiles == 1 else 'tiles'}")
    return tqdm(total=total, desc=label, disable=not shown, unit="px", unit_scale=True)
