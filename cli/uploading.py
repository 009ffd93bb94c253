"""Sending one file: admission first, then its bytes, as often as it takes, once in effect."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from acervo.rag.v1.ingest_service_pb2 import BeginIngestRequest, IngestEnd, IngestHeader, IngestRequest
from acervo.rag.v1.job_pb2 import Job
from cli.connection import Connection
from cli.failure import Failure
from cli.retrying import Patience, persist

PIECE_BYTES = 256 * 1024
HASH_BLOCK_BYTES = 1 << 20
SLOWEST_BYTES_PER_S = 100_000  # below this an upload is given up and begun again
SHORTEST_UPLOAD_S = 60.0

Sent = Callable[[int], None]  # takes the bytes sent so far


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds."""

    path: Path
    size_bytes: int
    sha256: str


def read_contents(path: Path) -> Contents:
    """The size and the hash of a file, read as a stream. Raises OSError."""
    digest = hashlib.sha256()
    size_bytes = 0
    with path.open("rb") as file:
        while block := file.read(HASH_BLOCK_BYTES):
            digest.update(block)
            size_bytes += len(block)
    return Contents(path, size_bytes, digest.hexdigest())


@dataclass(frozen=True, slots=True)
class Upload:
    """One file on its way. The header's request id makes every further attempt the same request."""

    connection: Connection
    header: IngestHeader
    contents: Contents

    def run(self, patience: Patience, sent: Sent) -> tuple[Job, bool]:
        """The job, and whether it stood already, so that nothing was sent. Raises Failure, Stopped and OSError."""
        return persist(lambda: self._attempt(sent), patience)

    def _attempt(self, sent: Sent) -> tuple[Job, bool]:
        stub = self.connection.ingestion
        answer = self.connection.call(stub.BeginIngest, BeginIngestRequest(header=self.header))
        if answer.HasField("existing_job"):
            return answer.existing_job, True
        messages = _Messages(self.header, self.contents, answer.max_piece_bytes or PIECE_BYTES, sent)
        timeout_s = SHORTEST_UPLOAD_S + self.contents.size_bytes / SLOWEST_BYTES_PER_S
        try:
            return self.connection.send(stub.Ingest, iter(messages), timeout_s).job, False
        except Failure as failure:
            # What breaks while grpc asks for the next message reaches the caller as a broken call.
            raise messages.broken or failure from failure


class _Messages:
    """The messages of an upload: header, pieces, end."""

    def __init__(self, header: IngestHeader, contents: Contents, piece_bytes: int, sent: Sent) -> None:
        self._header = header
        self._contents = contents
        self._piece_bytes = min(piece_bytes, PIECE_BYTES)
        self._sent = sent
        self.broken: OSError | None = None

    def __iter__(self) -> Iterator[IngestRequest]:
        yield IngestRequest(header=self._header)
        try:
            yield from self._pieces()
        except OSError as error:
            self.broken = error
            raise
        end = IngestEnd(size_bytes=self._contents.size_bytes, sha256=self._contents.sha256)
        yield IngestRequest(end=end)

    def _pieces(self) -> Iterator[IngestRequest]:
        sent_bytes = 0
        with self._contents.path.open("rb") as file:
            while piece := file.read(self._piece_bytes):
                yield IngestRequest(piece=piece)
                sent_bytes += len(piece)
                self._sent(sent_bytes)
