"""Landlock: the file system shrinks to a few folders that may be read. Needs no privilege, only the kernel."""

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_VERSION_FLAG = 1
_RULE_PATH_BENEATH = 1
_EXECUTE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 2, 1 << 3
# Rights over files that each version of the interface knows, as the number of bits from the lowest.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
_NEWEST_FILE_RIGHTS = 16
_NET_SINCE, _SCOPES_SINCE = 4, 6
_NET_RIGHTS = 0b11  # bind and connect TCP
_SCOPES = 0b11  # abstract sockets and signals of processes outside


def restrict_files(readable: Iterable[Path], executable: Iterable[Path] = ()) -> int:
    """Allow this process to open nothing but what is under `readable`, for reading; and no TCP.

    Of programs it may start those in `executable` alone.

    Returns the version of the interface in force, 0 if the kernel has none. What is open already stays usable.
    """
    library = ctypes.CDLL(None, use_errno=True)
    version = library.syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG)
    if version < 1:
        return 0
    rights = (1 << _FILE_RIGHTS.get(version, _NEWEST_FILE_RIGHTS)) - 1
    attributes = struct.pack("<Q", rights)
    if version >= _NET_SINCE:
        attributes += struct.pack("<Q", _NET_RIGHTS)
    if version >= _SCOPES_SINCE:
        attributes += struct.pack("<Q", _SCOPES)
    ruleset = library.syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    if ruleset < 0:
        return 0
    try:
        for path in readable:
            _allow(library, ruleset, path, _READ_FILE)
        for path in executable:
            _allow(library, ruleset, path, _READ_FILE | _EXECUTE)
        return version if library.syscall(_RESTRICT_SELF, ruleset, 0) == 0 else 0
    finally:
        os.close(ruleset)


def _allow(library: ctypes.CDLL, ruleset: int, path: Path, file_rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no permission
    try:
        rights = file_rights | _READ_DIR if path.is_dir() else file_rights
        library.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, struct.pack("<Qi", rights, descriptor), 0)
    finally:
        os.close(descriptor)
