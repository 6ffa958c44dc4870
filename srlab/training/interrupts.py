"""Handle Ctrl-C and SIGTERM when a training loop is ready for them."""

import signal
import threading
from types import FrameType, TracebackType


class TrainingStopped(KeyboardInterrupt):
    """An interrupted training run, after saving; the message explains how to resume."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


class Interrupts:
    """A context manager in which SIGINT and SIGTERM only set `caught`; a second signal takes effect at once.

    Python allows handlers only in the main thread. In other threads signals have their usual effect.
    """

    def __enter__(self) -> "Interrupts":
        self.caught: int | None = None
        self._before = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.caught:
            self.__exit__(None, None, None)
            signal.raise_signal(number)
        self.caught = number

    def leave(self, message: str) -> None:
        """End the block the way the sender of the signal expects.

        After Ctrl-C raise `TrainingStopped`; after SIGTERM print the message and let the signal have its usual effect.
        """
        self.__exit__(None, None, None)
        if self.caught == signal.SIGTERM:
            print(message, flush=True)
            signal.raise_signal(signal.SIGTERM)
        raise TrainingStopped(message)
