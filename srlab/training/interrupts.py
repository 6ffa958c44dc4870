"""Let a training loop finish its step and save it before Ctrl-C or another signal takes effect."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
ECHO = 0.5  # seconds in which a second signal is still the same stop: a double press, or a launcher that forwards it


class TrainingStopped(KeyboardInterrupt):
    """An interrupted training run, after saving; the message explains how to resume."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


class Interrupts:
    """A context manager in which a signal only sets `caught`, so that the loop can stop after its step.

    A later Ctrl-C takes effect at once, except in a `saving` block. A signal that the process ignores, as under nohup,
    stays ignored. Python allows handlers only in the main thread. In other threads signals have their usual effect.
    """

    def __enter__(self) -> "Interrupts":
        self.caught: int | None = None
        self._since, self._saving = 0.0, False
        self._before = {}
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) != signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.caught:
            time.sleep(max(0.0, self._since + ECHO - time.monotonic()))
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if not self.caught:
            self.caught, self._since = number, time.monotonic()
        elif number == signal.SIGINT and time.monotonic() > self._since + ECHO and not self._saving:
            raise KeyboardInterrupt

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Let no signal interrupt the block."""
        self._saving = True
        try:
            yield
        finally:
            self._saving = False
