"""What documents hold: `acervo documents chunks`, `versions` and `download`."""

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from acervo.rag.v1.content_pb2 import Chunk, DocumentVersion
from acervo.rag.v1.content_service_pb2 import (
    DownloadDocumentRequest,
    DownloadDocumentResponse,
    ListChunksRequest,
    ListVersionsRequest,
)
from cli.connection import connected
from cli.failure import Failure
from cli.names import short_id
from cli.options import DEFAULT_SERVER, AsJson, DocumentId, Limit, Server
from cli.output import clean, console, local_time, print_fields, print_json, print_table, size_text
from cli.pages import read_pages
from cli.plain import plain

DOWNLOAD_S = 3_600.0
SHOWN_CHARS = 160
STANDARD_OUTPUT = "-"


def chunks(
    document: DocumentId, *, limit: Limit = 50, server: Server = DEFAULT_SERVER, as_json: AsJson = False
) -> None:
    """Show the chunks of a document: what searches find and cite."""
    with connected(server) as connection:

        def fetch(size: int, token: str) -> tuple[list[Chunk], str]:
            request = ListChunksRequest(parent=document, page_size=size, page_token=token)
            answer = connection.call(connection.contents.ListChunks, request)
            return list(answer.chunks), answer.next_page_token

        found = list(read_pages(fetch, limit))
    if as_json:
        print_json({"chunks": [plain(chunk) for chunk in found]})
        return
    rows = [
        (str(one.ordinal), _pages(one), f"{one.char_start}-{one.char_end}", " > ".join(one.headings), _beginning(one))
        for one in found
    ]
    print_table(("chunk", "pages", "characters", "under", "text"), rows, empty="The document has no chunks.")


def versions(
    document: DocumentId, *, limit: Limit = 50, server: Server = DEFAULT_SERVER, as_json: AsJson = False
) -> None:
    """List the versions of a document, the newest first."""
    with connected(server) as connection:

        def fetch(size: int, token: str) -> tuple[list[DocumentVersion], str]:
            request = ListVersionsRequest(parent=document, page_size=size, page_token=token)
            answer = connection.call(connection.contents.ListVersions, request)
            return list(answer.versions), answer.next_page_token

        found = list(read_pages(fetch, limit))
    if as_json:
        print_json({"versions": [plain(version) for version in found]})
        return
    rows = [
        (
            f"{one.version}{' (current)' if one.current else ''}",
            one.file_name,
            size_text(one.size_bytes),
            str(one.chunk_count),
            local_time(one.publish_time),
            short_id(one.job),
        )
        for one in found
    ]
    print_table(("version", "file", "size", "chunks", "published", "job"), rows, empty="There are no versions.")


def download(
    document: DocumentId,
    *,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="PATH", help="Where to; `-` for the standard output.")
    ] = "",
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Get the original file of a document."""
    with connected(server) as connection:
        request = DownloadDocumentRequest(name=document)
        pieces = connection.stream(connection.contents.DownloadDocument, request, DOWNLOAD_S)
        first = next(pieces)
        if output == STANDARD_OUTPUT:
            for piece in _whole(first, pieces):
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            return
        path = Path(output or first.file_name.rpartition("/")[2] or "document")
        _write(path, _whole(first, pieces), replace=bool(output))
    if as_json:
        print_json({"path": str(path), "size_bytes": first.size_bytes, "sha256": first.sha256})
    else:
        print_fields([("written", str(path)), ("size", size_text(first.size_bytes)), ("sha256", first.sha256)])


def _whole(first: DownloadDocumentResponse, rest: Iterator[DownloadDocumentResponse]) -> Iterator[bytes]:
    """The bytes as they come. Raises Failure at the end where they are not those that were announced."""
    digest = hashlib.sha256(first.body.data)
    yield first.body.data
    for message in rest:
        digest.update(message.body.data)
        yield message.body.data
    if digest.hexdigest() != first.sha256:
        raise Failure("the file that came is not the one that is kept: try again", "DOWNLOAD_MISMATCH", passing=True)


def _write(path: Path, pieces: Iterator[bytes], *, replace: bool) -> None:
    """The file, only whole. Raises Failure."""
    if path.exists() and not replace:
        raise Failure(f"{path} is there already: name another with -o")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as file:
            for piece in pieces:
                file.write(piece)
        part.replace(path)
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _pages(chunk: Chunk) -> str:
    return str(chunk.page_first) if chunk.page_first == chunk.page_last else f"{chunk.page_first}-{chunk.page_last}"


def _beginning(chunk: Chunk) -> str:
    wide = console().is_terminal
    text = clean(chunk.text)
    return text if not wide or len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}…"
