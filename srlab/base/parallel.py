"""Work on many things at once, in order, with few of them in memory."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Thing, Result = TypeVar("Thing"), TypeVar("Result")


def in_order(work: Callable[[Thing], Result], things: Iterable[Thing]) -> Iterator[Result]:
    """Apply a function to things on a thread for each core, and yield the results in the order of the things.

    Threads serve where the work is done outside of Python's lock, as decoding, compressing and tensor operations are.
    At most twice as many results as threads wait to be taken, so memory stays bounded however many things there are.

    Parameters
    ----------
    work
        Called once for each thing, on one of the threads.
    things
        Taken one by one as threads become free.

    Raises
    ------
    Exception
        What the work on a thing raised, when its turn comes; what had not begun by then is dropped.
    """
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    waiting: deque = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for thing in things:
                waiting.append(pool.submit(work, thing))
                if len(waiting) >= 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
