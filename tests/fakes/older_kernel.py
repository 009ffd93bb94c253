"""Runs a program as if under a kernel that lacks something: `older_kernel.py seccomp|landlock PROGRAM ARGUMENT…`.

A real filter of system calls answers as such a kernel would, for the program and all that it starts.
"""

import ctypes
import errno
import os
import platform
import struct
import sys

_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _FILTER = 38, 22, 2
_PRCTL = 157 if platform.machine() == "x86_64" else 167
_LANDLOCK_CREATE_RULESET = 444
_FIRST_ARGUMENT_AT = 16

FILTERS = {
    "landlock": [
        (_LOAD, 0, 0, 0),
        (_EQUAL, 0, 1, _LANDLOCK_CREATE_RULESET),
        (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
        (_RETURN, 0, 0, _ALLOW),
    ],
    "seccomp": [
        (_LOAD, 0, 0, 0),
        (_EQUAL, 0, 3, _PRCTL),
        (_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
        (_EQUAL, 0, 1, _PR_SET_SECCOMP),
        (_RETURN, 0, 0, _ERRNO | errno.EINVAL),
        (_RETURN, 0, 0, _ALLOW),
    ],
}


def main() -> None:
    lacking, *command = sys.argv[1:]
    program = b"".join(struct.pack("<HBBI", *step) for step in FILTERS[lacking])
    buffer = ctypes.create_string_buffer(program)
    description = struct.pack("@HP", len(FILTERS[lacking]), ctypes.addressof(buffer))
    library = ctypes.CDLL(None, use_errno=True)
    library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if library.prctl(_PR_SET_SECCOMP, _FILTER, description, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    os.execvp(command[0], command)  # noqa: S606 - the program in its own place


if __name__ == "__main__":
    main()
