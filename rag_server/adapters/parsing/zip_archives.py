"""Checks a ZIP container before any parser sees it, and reads its members within limits."""

import stat
import zipfile
from pathlib import PurePosixPath
from typing import BinaryIO
from xml.parsers import expat

from rag_server.adapters.parsing.budget import Budget
from rag_server.adapters.parsing.refusals import Refusal, Refused, limit_exceeded

# Below this a high ratio is no danger, only a well compressed small file.
_RATIO_MATTERS_BYTES = 1_000_000
_LOCAL_HEADER_BYTES = 30
_ENCRYPTED_FLAG = 0x1
_PROLOG_PIECE_BYTES = 4096


def open_archive(file: BinaryIO, budget: Budget) -> zipfile.ZipFile:
    """Open a ZIP container whose directory promises nothing harmful.

    :raises Refused: broken, encrypted, too large, too many members, names that leave the container.
    """
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
        raise Refused(Refusal.BROKEN_ARCHIVE) from error
    members = archive.infolist()
    limits = budget.limits
    if len(members) > limits.archive_max_members:
        raise limit_exceeded("archive_max_members", len(members), limits.archive_max_members)
    total = sum(member.file_size for member in members)
    if total > limits.archive_max_bytes:
        raise limit_exceeded("archive_max_bytes", total, limits.archive_max_bytes)
    for member in members:
        _check_member(member, limits.archive_max_ratio)
    _check_overlap(members)
    return archive


def _check_member(member: zipfile.ZipInfo, max_ratio: int) -> None:
    if member.flag_bits & _ENCRYPTED_FLAG:
        raise Refused(Refusal.ENCRYPTED)
    if member.file_size > _RATIO_MATTERS_BYTES:
        ratio = member.file_size / max(member.compress_size, 1)
        if ratio > max_ratio:
            raise limit_exceeded("archive_max_ratio", ratio, max_ratio)
    path = PurePosixPath(member.filename.replace("\\", "/"))
    is_link = stat.S_ISLNK(member.external_attr >> 16)
    if path.is_absolute() or ".." in path.parts or ":" in member.filename[:3] or is_link:
        raise Refused(Refusal.UNSAFE_ARCHIVE)


def _check_overlap(members: list[zipfile.ZipInfo]) -> None:
    # Members that share bytes multiply the content without showing it in any ratio.
    end = 0
    for member in sorted(members, key=lambda each: each.header_offset):
        if member.header_offset < end:
            raise Refused(Refusal.UNSAFE_ARCHIVE)
        end = member.header_offset + _LOCAL_HEADER_BYTES + member.compress_size


def read_member(archive: zipfile.ZipFile, name: str, max_bytes: int) -> bytes:
    """The bytes of one member. Never inflates beyond what the checked directory declares.

    :raises KeyError: there is no such member.
    """
    info = archive.getinfo(name)
    if info.file_size > max_bytes:
        raise limit_exceeded("part_bytes", info.file_size, max_bytes)
    with archive.open(info) as member:
        return member.read()


def refuse_doctypes(archive: zipfile.ZipFile) -> None:
    """Refuse a container with an XML part that declares a document type: the way to entities and their attacks."""
    for info in archive.infolist():
        if info.filename.lower().endswith((".xml", ".rels", ".vml")) and _has_doctype(archive, info):
            raise Refused(Refusal.UNSAFE_XML)


def _has_doctype(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bool:
    """Read the part's prolog up to its first element; a damaged prolog is the real parser's to complain about."""
    found: list[str] = []
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = lambda *_declaration: found.append("doctype")
    parser.StartElementHandler = lambda *_element: found.append("element")
    with archive.open(info) as part:
        while not found:
            piece = part.read(_PROLOG_PIECE_BYTES)
            if not piece:
                break
            try:
                parser.Parse(piece, False)
            except expat.ExpatError:
                break
    return bool(found) and found[0] == "doctype"
