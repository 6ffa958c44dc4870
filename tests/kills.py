"""Work in a process of its own that is killed with SIGKILL at random moments, and started again until it is done."""

import multiprocessing
import os
import random
import sys
import threading
import time
import traceback
from pathlib import Path

import torch
from tqdm import tqdm

from srlab.base.errors import SrlabError

KILLS = int(os.environ.get("SRLAB_KILLS", "3"))  # how often each test kills; `make faults` asks for many
# What a child would have to import, slowly, before it could begin; TensorBoard and dynamo are imported by training.
PRELOADED = ["pytest", "torch._dynamo", "torch.utils.tensorboard", "srlab.training.trainer"]
LONGEST = 120  # seconds without a word from a process, after which it counts as stuck


def context():
    """Children are forked from a process that has imported everything and has done nothing: no threads, no locks."""
    forkserver = multiprocessing.get_context("forkserver")
    forkserver.set_forkserver_preload(PRELOADED)
    return forkserver


class Life:
    """A process that does `work(say, *arguments)`, a function that can be imported; it starts in milliseconds.

    What the work says (short texts) is here at once, so a kill cannot take it back. The process has the environment
    of this one. It ends with 0, with 2 and "SrlabError: ..." as its last words, or with 1 and a traceback as them.
    """

    def __init__(self, work, *arguments):
        self.said, self.ended = [], False
        self._ear, mouth = context().Pipe(duplex=False)
        self.process = context().Process(target=_live, args=(mouth, dict(os.environ), work, arguments), daemon=True)
        self.process.start()
        mouth.close()
        self.wait_for(1)
        assert self.said.pop() == "begun"
        self.begun = time.monotonic()

    def _listen(self, seconds, words=None):
        """Hear the process until so many seconds have passed, it has said so many words, or it has ended."""
        until = time.monotonic() + seconds
        while not self.ended and len(self.said) != words and self._ear.poll(max(until - time.monotonic(), 0)):
            try:
                self.said.append(self._ear.recv())
            except EOFError:
                self.ended = True

    def wait_for(self, words):
        """Wait until it has said so many words."""
        self._listen(LONGEST, words)
        assert len(self.said) >= words, self.said

    def end(self):
        """Let it come to its end; returns its exit code."""
        self._listen(LONGEST)
        return self._bury()

    def kill_after(self, seconds):
        """Kill it so many seconds after it began; returns whether it was still alive then."""
        self._listen(self.begun + seconds - time.monotonic())
        self.process.kill()
        alive = self._bury() == -9
        self._listen(0 if self.ended else LONGEST)  # its last words may still be on their way
        return alive

    def _bury(self):
        self.process.join(LONGEST)
        code = self.process.exitcode
        self.process.kill()
        assert code is not None, f"the process was stuck; it said {self.said}"
        return code


def _live(mouth, environment, work, arguments):
    os.environ.clear()
    os.environ.update(environment)
    torch.set_num_threads(1)
    tqdm.set_lock(threading.RLock())  # its own is a semaphore of the system, which a kill would leave there
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    mouth.send("begun")
    try:
        work(mouth.send, *arguments)
    except SrlabError as error:
        mouth.send(f"SrlabError: {error}")
        sys.exit(2)
    except Exception:
        mouth.send(traceback.format_exc())
        sys.exit(1)


def kill_until_done(work, folder, check, result, kills=KILLS):
    """Kill some work so many times, at moments spread over the time that it takes undisturbed.

    The work is done once without a kill in ``folder/undisturbed``. Then come rounds: in each, the work begins in a
    folder of its own, is killed and started again there, until it comes to its end before its next kill.

    Parameters
    ----------
    work
        ``work(say, place)`` does everything in a folder that is there; started again, it goes on or begins anew.
    folder
        Where the folders of the rounds are made.
    check
        ``check(place, said)`` is called after each kill, with all that was said in the round.
    result
        ``result(place)`` of each round must be that of the undisturbed work.
    kills
        How many, over all rounds.
    """
    seed = random.SystemRandom().randrange(10**6)
    chance, moments, rounds, expected, longest = random.Random(seed), [], 0, None, 0.0
    while len(moments) < kills or expected is None:
        place, said = folder / (f"round{rounds}" if rounds else "undisturbed"), []
        place.mkdir(parents=True)
        while True:
            life = Life(work, place)
            if expected is None or len(moments) == kills or not life.kill_after(chance.uniform(0, longest)):
                break
            moments.append(time.monotonic() - life.begun)
            said += life.said
            check(place, said)
        told = f"{place.name}, seed {seed}, kills after {moments} s"
        assert life.end() == 0, f"{told}: {life.said}"
        if expected is None:
            expected, longest = result(place), time.monotonic() - life.begun
        assert result(place) == expected, told
        rounds += 1
