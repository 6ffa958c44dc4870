"""Keeps a process in a folder, by Landlock, which Linux has for programs without rights of an administrator.

What it holds and what it doesn't stands in SECURITY.md. There is no way back: the process, and each that it starts,
stays as it is until it ends. https://docs.kernel.org/userspace-api/landlock.html
"""

import ctypes
import os
import platform
import site
import sys
from pathlib import Path

ABI = 6  # of Linux 6.12, the first in which a confined process can't send signals to others
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # system calls, the same on x86-64 and ARM
NO_NEW_PRIVILEGES = 38  # for prctl
ALL_OF_FILES, ALL_OF_TCP, SIGNALS_AND_SOCKETS = (1 << 16) - 1, 0b11, 0b11
READ, EXECUTE, WRITE, LIST = 1 << 2, 1 << 0, 1 << 1, 1 << 3


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("tcp", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _Rule(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def available() -> bool:
    """Whether `confine` can do what it promises here."""
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"):
        return False
    return ctypes.CDLL(None).syscall(CREATE_RULESET, None, ctypes.c_size_t(0), 1) >= ABI


def confine(folder: Path) -> None:
    """From here on write below a folder alone, read Python and the course besides, open no TCP, signal nobody else.

    Raises
    ------
    OSError
        The system refuses it.
    """
    ruleset = _Ruleset(ALL_OF_FILES, ALL_OF_TCP, SIGNALS_AND_SOCKETS)
    rules = _call(CREATE_RULESET, ctypes.byref(ruleset), ctypes.c_size_t(ctypes.sizeof(ruleset)), 0)
    course = Path(__file__).parents[2]
    readable = [sys.prefix, sys.base_prefix, site.getusersitepackages(), course / "srlab", course / "notebooks"]
    for path in {*map(os.path.realpath, readable), "/usr", "/lib", "/lib64", "/etc"}:
        _allow(rules, path, READ | EXECUTE | LIST)
    _allow(rules, "/dev/null", READ | WRITE)
    _allow(rules, "/dev/urandom", READ)
    _allow(rules, str(folder), ALL_OF_FILES)
    if ctypes.CDLL(None, use_errno=True).prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs")
    _call(RESTRICT_SELF, rules, 0)


def limit(memory: int, seconds: int) -> None:
    """Let this process take so many bytes more than it has, and no more processor time, files or processes than needed.

    Parameters
    ----------
    memory
        Bytes of address space, beyond what is taken already.
    seconds
        Of processor time.
    """
    import resource

    import psutil

    taken = psutil.Process().memory_info().vms
    for what, most in (
        ("AS", taken + memory),
        ("CPU", seconds),
        ("FSIZE", 100_000_000),
        ("CORE", 0),
        ("NOFILE", 256),
        ("NPROC", 0),  # starts nothing, not even a thread; root may all the same
    ):
        kind = getattr(resource, f"RLIMIT_{what}")
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def _allow(rules: int, path: str, access: int) -> None:
    if not os.path.exists(path):  # noqa: PTH110 - as /lib64 on some
        return
    folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = _Rule(access, folder)
        _call(ADD_RULE, rules, 1, ctypes.byref(rule), 0)
    finally:
        os.close(folder)


def _call(number: int, *arguments: object) -> int:
    result = ctypes.CDLL(None, use_errno=True).syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), "Landlock refused it")
    return result
