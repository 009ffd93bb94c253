"""Finding the files that `acervo ingest` was asked for, and the keys under which they are known."""

import os
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.failure import Failure

USAGE = 2


@dataclass(frozen=True, slots=True)
class Source:
    """A file to take in."""

    path: Path
    shown: str  # what people know it by
    document_key: str
    file_name: str


def find_sources(paths: Sequence[Path]) -> list[Source]:
    """The files in the order given, those of folders by name. Raises Failure if there are none or two share a key."""
    sources = [source for path in paths for source in _sources_of(path)]
    if not sources:
        raise Failure("there is no file to take in (hidden files are skipped)", exit_status=USAGE)
    _refuse_collisions(sources)
    return sources


def single_source(path: Path, name: str) -> Source:
    """One file, known by `name`."""
    return Source(path, shown=name, document_key=_sendable(name), file_name=_sendable(name))


def _sources_of(path: Path) -> Iterator[Source]:
    if path.is_dir():
        for found in _files_below(path):
            key = _sendable(found.relative_to(path).as_posix())
            yield Source(found, shown=_sendable(str(found)), document_key=key, file_name=_sendable(found.name))
    elif path.is_file():
        name = _sendable(path.name)
        yield Source(path, shown=_sendable(str(path)), document_key=name, file_name=name)
    elif path.exists():
        # A pipe can be read once; a file is read for its hash and again for each attempt to send it.
        raise Failure(
            f"{_sendable(str(path))} is no regular file: give its bytes to `-`, with a --name", exit_status=USAGE
        )
    else:
        raise Failure(f"there is no file or folder {_sendable(str(path))}", exit_status=USAGE)


def _files_below(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder, onerror=_refuse_unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and (found := Path(parent, name)).is_file():
                yield found


def _refuse_unreadable(error: OSError) -> None:
    # Without this a folder that may not be read would be left out without a word.
    name = _sendable(str(error.filename))
    raise Failure(f"the folder {name} cannot be read: {error.strerror}", exit_status=USAGE) from error


def _refuse_collisions(sources: Sequence[Source]) -> None:
    known: dict[str, Source] = {}
    for source in sources:
        other = known.setdefault(source.document_key, source)
        if other is not source:
            raise Failure(
                f"{other.shown} and {source.shown} would both be the document {source.document_key!r}, "
                "and one would replace the other: take them in one at a time with --key, or into two collections",
                exit_status=USAGE,
            )


def _sendable(name: str) -> str:
    # A name on disk is bytes; those that are no UTF-8 cannot travel in a contract.
    return unicodedata.normalize("NFC", os.fsencode(name).decode("utf-8", "replace"))
