"""seccomp: system calls that reading a document never needs are answered with "not permitted"."""

import ctypes
import errno
import os
import platform
import struct

from rag_server.adapters.linux.system_calls import BY_MACHINE, SystemCalls

_PR_SET_SECCOMP = 22
_MODE_FILTER = 2
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_KILL_PROCESS, _ALLOW, _ERRNO = 0x80000000, 0x7FFF0000, 0x00050000
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT, _ARGUMENT_BYTES = 0, 4, 16, 8
# Calls that are younger than the list in system_calls.py, and x86-64's second set of numbers for the same calls.
_FIRST_UNKNOWN = 450
_CLONE_THREAD = 0x00010000
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# What would have the kernel signal another process, or outlive the parent, or type into a terminal.
_FCNTL_OWNER = (8, 10, 15)  # F_SETOWN, F_SETSIG, F_SETOWN_EX
_IOCTL_OWNER = (0x8901, 0x8902, 0x5412, 0x541C)  # FIOSETOWN, SIOCSPGRP, TIOCSTI, TIOCLINUX
_PRCTL_PARENT = (1,)  # PR_SET_PDEATHSIG
_FORBIDDEN = _ERRNO | errno.EPERM
_UNKNOWN = _ERRNO | errno.ENOSYS


def restrict_system_calls(*, may_execute: bool = False) -> bool:
    """No sockets, programs, processes, signals to others, nor anything that writes or changes files, from now on.

    With `may_execute` the process may still become another program.
    Needs PR_SET_NO_NEW_PRIVS. False if the kernel or the architecture is not known to do it.
    """
    calls = BY_MACHINE.get(platform.machine())
    if calls is None:
        return False
    program = _program(calls, may_execute=may_execute)
    buffer = ctypes.create_string_buffer(program)
    count = len(program) // struct.calcsize("<HBBI")
    description = struct.pack("@HP", count, ctypes.addressof(buffer))
    library = ctypes.CDLL(None, use_errno=True)
    return bool(library.prctl(_PR_SET_SECCOMP, _MODE_FILTER, description, 0, 0) == 0)


def _program(calls: SystemCalls, *, may_execute: bool) -> bytes:
    """The filter, run by the kernel from the top for each system call until something is returned."""
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 1, 0, calls.audit),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_AT_LEAST, 0, 1, _FIRST_UNKNOWN),
        (_RETURN, 0, 0, _UNKNOWN),
        *_on_argument(calls.clone, 0, (_ANY_BIT, _CLONE_THREAD), then=_ALLOW, otherwise=_FORBIDDEN),
        *_on_argument(calls.openat, 2, (_ANY_BIT, _WRITING), then=_FORBIDDEN, otherwise=_ALLOW),
        # A program that aborts signals itself; it may signal nobody else.
        *_on_argument(calls.tgkill, 0, (_EQUAL, os.getpid()), then=_ALLOW, otherwise=_FORBIDDEN),
        # Limits of its own it may lower; those of its parent would end the parent.
        *_on_argument(calls.prlimit64, 0, (_EQUAL, 0), then=_ALLOW, otherwise=_FORBIDDEN),
        *_except_with(calls.fcntl, 1, _FCNTL_OWNER),
        *_except_with(calls.ioctl, 1, _IOCTL_OWNER),
        *_except_with(calls.prctl, 0, _PRCTL_PARENT),
    ]
    if calls.open is not None:
        steps += _on_argument(calls.open, 1, (_ANY_BIT, _WRITING), then=_FORBIDDEN, otherwise=_ALLOW)
    denied = calls.denied if may_execute else (*calls.denied, calls.execve)
    for number, answer in [(n, _UNKNOWN) for n in calls.unknown] + [(n, _FORBIDDEN) for n in denied]:
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, answer)]
    steps.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("<HBBI", *step) for step in steps)


def _on_argument(
    number: int, argument: int, test: tuple[int, int], *, then: int, otherwise: int
) -> list[tuple[int, int, int, int]]:
    """For the call `number`: look at the low half of one argument, and answer."""
    operation, value = test
    return [
        (_EQUAL, 0, 4, number),
        (_LOAD, 0, 0, _ARGUMENTS_AT + argument * _ARGUMENT_BYTES),
        (operation, 0, 1, value),
        (_RETURN, 0, 0, then),
        (_RETURN, 0, 0, otherwise),
    ]


def _except_with(number: int, argument: int, values: tuple[int, ...]) -> list[tuple[int, int, int, int]]:
    """The call `number` is allowed, but not with one of the values in the low half of an argument."""
    refusals = [step for value in values for step in ((_EQUAL, 0, 1, value), (_RETURN, 0, 0, _FORBIDDEN))]
    body = [(_LOAD, 0, 0, _ARGUMENTS_AT + argument * _ARGUMENT_BYTES), *refusals, (_RETURN, 0, 0, _ALLOW)]
    return [(_EQUAL, 0, len(body), number), *body]
