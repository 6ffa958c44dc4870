"""Stop a notebook that papermill executes by stopping its kernel, which first saves what it trains.

Without this, papermill ends at a signal, and the kernel ends with it: at once, or after Ctrl-C within five seconds.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError

from srlab.training.interrupts import SIGNALS, TrainingStopped

START_TIMEOUT = 600  # seconds to wait for a kernel; importing takes minutes on a busy machine or a network disk
# A kernel warns about unencrypted traffic, which is local, and logs its shutdown as an error.
QUIET = ["--log-level=CRITICAL"]
WAITING = b"\nStopping after the current step. To end at once instead, run: kill -9 %d\n"


@contextmanager
def stopping_the_kernel() -> Iterator[None]:
    """Pass the first SIGINT, SIGTERM or SIGHUP on to papermill's kernel, as a SIGTERM, and wait for its cell to end.

    Then print where the training run was saved, and exit with 128 plus the number of the signal. Further signals change
    nothing. Windows has no SIGTERM, so Ctrl-C works there as in papermill, which waits for five seconds.
    """
    caught: list[int] = []
    kernels: list[AsyncKernelManager] = []

    def stop_kernels() -> None:
        for kernel in kernels:
            with suppress(ProcessLookupError):
                os.kill(kernel.provisioner.pid, signal.SIGTERM)

    def note(number: int, frame: FrameType | None) -> None:
        caught.append(number)
        if len(caught) == 1:
            stop_kernels()
            with suppress(OSError):  # after SIGHUP, the terminal may be gone
                os.write(2, WAITING % os.getpid())

    class Kernel(AsyncKernelManager):
        async def start_kernel(self, **settings: Any) -> None:
            await super().start_kernel(**settings)
            kernels.append(self)
            if caught:
                stop_kernels()

    class Engine(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, *arguments: Any, **settings: Any) -> None:
            try:
                settings |= {"kernel_manager_class": Kernel, "extra_arguments": QUIET}
                super().execute_managed_notebook(*arguments, **settings)
            except RuntimeError:  # the kernel has ended outside of training, or while it started
                if not caught:
                    raise

    handlers = {}
    if os.name == "posix" and threading.current_thread() is threading.main_thread():
        heard = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
        handlers = {number: signal.signal(number, note) for number in heard}
    papermill_engines.register(None, Engine)
    message = "Stopped. Run the same command again to resume."
    try:
        yield
    except PapermillExecutionError as error:
        if not caught:
            raise
        if error.ename == TrainingStopped.__name__:
            message = error.evalue
    except (SystemExit, OSError):  # papermill's command exits; the terminal is gone
        if not caught:
            raise
    finally:
        papermill_engines.register(None, NBClientEngine)
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if caught:
        with suppress(OSError):
            print(message, file=sys.stderr, flush=True)
        sys.exit(128 + caught[0])
