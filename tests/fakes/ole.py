"""A writer of OLE containers, as small as readers of them allow: enough for messages."""

import struct
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

_SECTOR_BYTES = 512
_LEAST_STREAM_BYTES = 4096  # shorter ones would go into a second, smaller kind of sectors
_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
_NOTHING = 0xFFFFFFFF
_STORAGE, _STREAM, _ROOT = 1, 2, 5


def make_ole(path: Path, streams: Mapping[str, bytes]) -> Path:
    """Write streams by name; `folder/name` stands in a folder. Each is filled up with zeros to 4096 bytes."""
    names: list[str] = []
    for name in streams:
        folder = name.rpartition("/")[0]
        names += [folder] if folder and folder not in names else []
        names.append(name)
    body, fat, places = _sectors(streams)
    directory = _directory(names, streams, places)
    start = len(fat)
    fat += _chain(start, len(directory) // _SECTOR_BYTES)
    fat_start = len(fat)
    fat_count = -(-(len(fat) * 4 + 4) // _SECTOR_BYTES)
    fat += [_FAT] * fat_count
    fat += [_FREE] * (-len(fat) % (_SECTOR_BYTES // 4))
    table = struct.pack(f"<{len(fat)}I", *fat)
    path.write_bytes(_header(fat_start, fat_count, start) + body + directory + table)
    return path


def _sectors(streams: Mapping[str, bytes]) -> tuple[bytes, list[int], dict[str, tuple[int, int]]]:
    body = b""
    fat: list[int] = []
    places: dict[str, tuple[int, int]] = {}
    for name, content in streams.items():
        padded = content.ljust(max(_LEAST_STREAM_BYTES, -(-len(content) // _SECTOR_BYTES) * _SECTOR_BYTES), b"\0")
        places[name] = (len(fat), len(padded))
        fat += _chain(len(fat), len(padded) // _SECTOR_BYTES)
        body += padded
    return body, fat, places


def _chain(start: int, count: int) -> list[int]:
    return [*range(start + 1, start + count), _END]


def _directory(names: list[str], streams: Mapping[str, bytes], places: Mapping[str, tuple[int, int]]) -> bytes:
    """The root first. Siblings hang to the right of one another: a tree, though a leaning one."""
    parents = ["", *(name for name in names if name not in streams)]
    children = {parent: [name for name in names if name.rpartition("/")[0] == parent] for parent in parents}
    number = {name: index + 1 for index, name in enumerate(names)}
    following = {a: number[b] for group in children.values() for a, b in pairwise(group)}
    entries = [_entry("Root Entry", _ROOT, _NOTHING, number[children[""][0]], (_END, 0))]
    for name in names:
        kind = _STREAM if name in streams else _STORAGE
        child = number[children[name][0]] if name in children else _NOTHING
        entries.append(
            _entry(name.rpartition("/")[2], kind, following.get(name, _NOTHING), child, places.get(name, (0, 0)))
        )
    directory = b"".join(entries)
    return directory.ljust(-(-len(directory) // _SECTOR_BYTES) * _SECTOR_BYTES, b"\0")


def _entry(name: str, kind: int, right: int, child: int, place: tuple[int, int]) -> bytes:
    encoded = name.encode("utf-16-le") + b"\0\0"
    links = struct.pack("<BBIII", kind, 1, _NOTHING, right, child)
    return encoded.ljust(64, b"\0") + struct.pack("<H", len(encoded)) + links + bytes(36) + struct.pack("<IQ", *place)


def _header(fat_start: int, fat_count: int, directory_start: int) -> bytes:
    head = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    sizes = struct.pack("<IIIIIIIIII", 0, fat_count, directory_start, 0, 4096, _END, 0, _END, 0, 0)[:36]
    listed = [*range(fat_start, fat_start + fat_count)]
    return head + sizes + struct.pack("<109I", *listed, *[_FREE] * (109 - len(listed)))
