"""Keeps a process in a folder, by Landlock and seccomp, which Linux has for programs without an administrator's rights.

What they hold and what they don't stands in SECURITY.md. There is no way back: the process, and each that it starts,
stays as it is until it ends. https://docs.kernel.org/userspace-api/landlock.html and seccomp_filter.html beside it
"""

import ctypes
import os
import platform
import site
import sys
from pathlib import Path

ABI = 6  # of Linux 6.12, the first in which Landlock lets a process send no signals to others
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # system calls, the same on all machines
ALL_OF_FILES, SIGNALS_AND_SOCKETS = (1 << 16) - 1, 0b11
EXECUTE, WRITE, READ, LIST = 1 << 0, 1 << 1, 1 << 2, 1 << 3
SET_SECCOMP, FILTER, NO_NEW_PRIVILEGES = 22, 2, 38  # for prctl

# What Landlock leaves open. Machine -> its number for seccomp; the numbers of socket, io_uring_setup, and of chmod and
# its kin; and that of prlimit64, which acts on others unless its first argument is 0.
CALLS = {
    "x86_64": (0xC000003E, (41, 425, 90, 91, 268, 452), 302),
    "aarch64": (0xC00000B7, (198, 425, 52, 53, 452), 261),
}
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06  # instructions of a filter
MACHINE, NUMBER, ARGUMENT = 4, 0, 16  # what it can load: places in the call's description
ALLOW, REFUSE = 0x7FFF0000, 0x00050001  # go on; EPERM


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("tcp", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint16), ("yes", ctypes.c_uint8), ("no", ctypes.c_uint8), ("value", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction)))


class _Rule(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def available() -> bool:
    """Whether `confine` can do what it promises here."""
    if sys.platform != "linux" or platform.machine() not in CALLS:
        return False
    return ctypes.CDLL(None).syscall(CREATE_RULESET, None, ctypes.c_size_t(0), 1) >= ABI


def confine(folder: Path) -> None:
    """From here on write below a folder alone, read Python and the course besides, open no socket, signal nobody else.

    Raises
    ------
    OSError
        The system refuses it.
    """
    ruleset = _Ruleset(ALL_OF_FILES, 0, SIGNALS_AND_SOCKETS)
    rules = _call(CREATE_RULESET, ctypes.byref(ruleset), ctypes.c_size_t(ctypes.sizeof(ruleset)), 0)
    course = Path(__file__).parents[2]
    readable = [sys.prefix, sys.base_prefix, site.getusersitepackages(), course / "srlab", course / "notebooks"]
    for path in {*map(os.path.realpath, readable), "/usr", "/lib", "/lib64", "/etc"}:
        _allow(rules, path, READ | EXECUTE | LIST)
    _allow(rules, "/dev/null", READ | WRITE)
    _allow(rules, "/dev/urandom", READ)
    _allow(rules, str(folder), ALL_OF_FILES)
    _prctl(NO_NEW_PRIVILEGES, 1)
    _call(RESTRICT_SELF, rules, 0)
    _refuse_calls()


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


def _refuse_calls() -> None:
    """Refuse the calls of `CALLS`, and any that are made as another kind of machine would."""
    machine, refused, prlimit = CALLS[platform.machine()]
    tests = [(AT_LEAST, 1 << 30), *((EQUAL, number) for number in refused)]
    lines = [(LOAD, 0, 0, MACHINE), (EQUAL, 1, 0, machine), (RETURN, 0, 0, REFUSE), (LOAD, 0, 0, NUMBER)]
    lines += [(code, len(tests) - place + 3, 0, value) for place, (code, value) in enumerate(tests)]
    lines += [(EQUAL, 0, 2, prlimit), (LOAD, 0, 0, ARGUMENT), (EQUAL, 0, 1, 0), (RETURN, 0, 0, ALLOW)]
    lines += [(RETURN, 0, 0, REFUSE)]
    instructions = (_Instruction * len(lines))(*lines)
    _prctl(SET_SECCOMP, FILTER, ctypes.byref(_Program(len(lines), instructions)))


def _prctl(*arguments: object) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(*arguments, *[ctypes.c_ulong(0)] * (5 - len(arguments))):
        raise OSError(ctypes.get_errno(), "prctl refused it")


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
