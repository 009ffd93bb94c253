"""What waits in the change log, taken in portions."""

from dataclasses import dataclass

from rag_server.domain.document import Change, ChangeKind, DocumentChunks
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
    is_all: bool = True  # whether nothing more waited
    mark: str = ""  # of the last change


def next_batch(log: ChangeLog, after: int, mark: str = "") -> Batch:
    """The next portion; `mark` is that of the change `after`, where that is known. Raises GapInLog."""
    changes = _following(log, after, mark) if mark else log.changes(after, BATCH_CHANGES)
    if not changes and log.last_sequence() < after:
        raise GapInLog(f"the log ends before {after}")
    # Read before the chunks: of a version that goes in between nothing is taken for current.
    attributes = log.attributes_of([change.version_id for change in changes if change.kind is ChangeKind.PUBLISHED])
    current = [change.version_id for change in changes if change.version_id in attributes]
    chunks = log.chunks_of(current, BATCH_CHUNKS) if current else {}
    documents: list[DocumentChunks] = []
    taken = 0
    segment = None
    for expected, change in enumerate(changes, after + 1):
        if change.sequence != expected:
            raise GapInLog(f"change {change.sequence} came instead of {expected}")
        if change.version_id in attributes and change.version_id not in chunks:
            break
        taken += 1
        if change.kind is ChangeKind.SEGMENT:
            segment = log.segment(change.segment_id)
            if segment is not None:
                break
            continue
        # One that is published no more has nothing: a later change says what it has.
        outcome = chunks.get(change.version_id, []), attributes.get(change.version_id)
        documents.append(DocumentChunks(change.collection, change.document_id, *outcome))
    chunk_count = sum(len(document.chunks) for document in documents)
    is_all = taken == len(changes) < BATCH_CHANGES
    mark = changes[taken - 1].mark if taken else ""
    return Batch(after + taken, taken, tuple(documents), chunk_count, segment, is_all, mark)


def _following(log: ChangeLog, after: int, mark: str) -> list[Change]:
    """The changes after one that must still be what it was: a store that was restored from a backup has another."""
    changes = log.changes(after - 1, BATCH_CHANGES + 1)
    if not changes or changes[0].mark != mark:
        raise GapInLog(f"change {after} is no more what it was")
    return changes[1:]
