"""A disk that is full, or a process that dies, at its write of any number."""

import errno
import io
import os
import stat
from pathlib import Path

from srlab.base.errors import SrlabError
from tests.kills import KILLS

STRIDE = 1 if KILLS >= 100 else 11  # between the numbers of writes that are tried; `make faults` tries each


def full():
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Disk:
    """A disk with room for so many more writes: what Python writes, renames, flushes or makes counts as one each.

    After them, `fails` is called: of the write that does not fit, half is written.
    """

    def __init__(self, monkeypatch, room, fails=full):
        self.room, self.fails, self.open = room, fails, io.open
        monkeypatch.setattr(io, "open", self.opened)
        for name in ("fsync", "replace", "rename", "mkdir"):
            monkeypatch.setattr(os, name, self.counted(getattr(os, name)))

    def take(self, before=lambda: None):
        self.room -= 1
        if self.room < 0:
            before()
            self.fails()

    def counted(self, function):
        def call(*args, **settings):
            if function.__name__ == "mkdir":
                free = Path(args[0]).exists()
            else:
                free = function.__name__ == "fsync" and stat.S_ISDIR(os.fstat(args[0]).st_mode)
            if not free:
                self.take()
            return None if function.__name__ == "fsync" else function(*args, **settings)

        return call

    def opened(self, file, mode="r", *args, **settings):
        if not set(mode) & set("wax+"):
            return self.open(file, mode, *args, **settings)
        if "+" not in mode:
            self.take()
        raw = File(file, mode.replace("b", "").replace("t", ""))
        raw.disk = self
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding="utf-8")


class File(io.FileIO):
    """A file on such a disk."""

    def write(self, content):
        self.disk.take(lambda: super(File, self).write(bytes(content)[: len(content) // 2]))
        return super().write(content)


def fill_up(monkeypatch, work, after, stride=STRIDE, most=400):
    """Do some work with room for no write, for 1, for 2, until it passes; returns for how many it did not.

    Parameters
    ----------
    work
        ``work(room)`` must end in one sentence that speaks of the full disk.
    after
        ``after(room, passed)`` looks at what is left, when there is room again. Work may pass on a full disk if what
        it could not write is not its result.
    stride
        Between two numbers.
    """
    for room in range(0, most, stride):
        with monkeypatch.context() as broken:
            disk, said = Disk(broken, room), None
            try:
                work(room)
            except SrlabError as error:
                said = str(error)
        passed = said is None
        assert passed or ("No space left on device" in said and "\n" not in said), said
        assert passed or disk.room < 0, "there was room"
        after(room, passed)
        if disk.room >= 0:
            return room
    raise AssertionError(f"not done after {most} writes")
