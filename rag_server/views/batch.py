"""What waits in the change log, taken in portions."""

from dataclasses import dataclass

from rag_server.domain.document import Change, ChangeKind, DocumentChunks
from rag_server.domain.filter import Attributes
from rag_server.domain.segment import StoredSegment
from rag_server.ports import ChangeLog

# A portion ends with the change that reaches either; searches see it as a whole.
BATCH_CHANGES = 500
BATCH_CHUNKS = 2_000


class GapInLog(Exception):
    """The change log does not go on where the views stand."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Changes that follow one another, as documents."""

    last_sequence: int
    change_count: int  # 0 where nothing waits
    documents: tuple[DocumentChunks, ...]
    chunk_count: int
    segment: StoredSegment | None = None  # to be taken over after the documents


def next_batch(log: ChangeLog, after: int) -> Batch:
    """The next portion. Raises GapInLog."""
    changes = log.changes(after, BATCH_CHANGES)
    if not changes and log.last_sequence() < after:
        raise GapInLog(f"the log ends before {after}")
    # Read before the chunks: of a version that goes in between nothing is taken for current.
    attributes = log.attributes_of([change.version_id for change in changes if change.kind is ChangeKind.PUBLISHED])
    documents: list[DocumentChunks] = []
    taken = chunk_count = 0
    segment = None
    for expected, change in enumerate(changes, after + 1):
        if change.sequence != expected:
            raise GapInLog(f"change {change.sequence} came instead of {expected}")
        taken += 1
        if change.kind is ChangeKind.SEGMENT:
            segment = log.segment(change.segment_id)
            if segment is not None:
                break
            continue
        documents.append(_outcome(log, change, attributes.get(change.version_id)))
        chunk_count += len(documents[-1].chunks)
        if chunk_count >= BATCH_CHUNKS:
            break
    return Batch(after + taken, taken, tuple(documents), chunk_count, segment)


def _outcome(log: ChangeLog, change: Change, attributes: Attributes | None) -> DocumentChunks:
    """What became of the document. One that is published no more has nothing: a later change says what it has."""
    chunks = [] if attributes is None else log.chunks_of(change.version_id)
    return DocumentChunks(change.collection, change.document_id, chunks, attributes)
