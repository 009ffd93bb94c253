"""What waits in the change log, taken in portions."""

from dataclasses import dataclass

from rag_server.domain.document import Change, ChangeKind, DocumentChunks
from rag_server.ports import ChangeLog

# A portion ends with the change that reaches either; searches see it as a whole.
BATCH_CHANGES = 500
BATCH_CHUNKS = 2_000


class GapInLog(Exception):
    """The change log does not go on where the views stand."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Changes that follow one another, as documents. Empty where nothing waits."""

    last_sequence: int
    documents: tuple[DocumentChunks, ...]
    chunk_count: int


def next_batch(log: ChangeLog, after: int) -> Batch:
    """The next portion. Raises GapInLog."""
    changes = log.changes(after, BATCH_CHANGES)
    if not changes and log.last_sequence() < after:
        raise GapInLog(f"the log ends before {after}")
    documents: list[DocumentChunks] = []
    chunk_count = 0
    for expected, change in enumerate(changes, after + 1):
        if change.sequence != expected:
            raise GapInLog(f"change {change.sequence} came instead of {expected}")
        documents.append(_outcome(log, change))
        chunk_count += len(documents[-1].chunks)
        if chunk_count >= BATCH_CHUNKS:
            break
    return Batch(after + len(documents), tuple(documents), chunk_count)


def _outcome(log: ChangeLog, change: Change) -> DocumentChunks:
    """What became of the document. One that is published no more has no chunks: a later change says what it has."""
    chunks = log.chunks_of(change.version_id) if change.kind is ChangeKind.PUBLISHED else []
    return DocumentChunks(change.collection, change.document_id, chunks)
