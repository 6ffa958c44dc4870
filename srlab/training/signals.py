"""Ctrl-C and SIGTERM as a request that a loop honours when it is ready."""

import signal
import threading
from types import FrameType, TracebackType


class TrainingStopped(KeyboardInterrupt):
    """Training was interrupted and its state saved; the message says how to go on."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


class Interrupts:
    """While the block runs, SIGINT and SIGTERM only set `caught`; a second one acts at once.

    Outside the main thread Python allows no handlers, and signals keep their usual effect.
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
        """End the block as the sender of the signal expects.

        Raises
        ------
        TrainingStopped
            After Ctrl-C. After SIGTERM the message is printed and the signal takes its usual effect.
        """
        self.__exit__(None, None, None)
        if self.caught == signal.SIGTERM:
            print(message, flush=True)
            signal.raise_signal(signal.SIGTERM)
        raise TrainingStopped(message)
