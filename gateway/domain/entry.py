"""An acknowledged upload on its way to the rag_server: one row of the outbox."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.domain.upload import Upload
from storage.blobs import Blob


class EntryState(StrEnum):
    """How far the upload has come."""

    PENDING = "PENDING"  # to be handed over
    FORWARDED = "FORWARDED"  # the rag_server has the job; it alone speaks of it
    REFUSED = "REFUSED"  # the rag_server would not have it: the job has failed
    CANCELLED = "CANCELLED"  # on request, before it was known to be handed over


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the rag_server would not have it."""

    code: int  # of google.rpc.Code
    reason: str
    message: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Origin:
    """The request that brought the upload, to be carried through every process."""

    traceparent: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A snapshot of a row. Times are seconds since the epoch."""

    job_id: str  # UUIDv7, promised to the client
    upload: Upload
    blob: Blob
    origin: Origin
    accept_time: float
    update_time: float
    state: EntryState = EntryState.PENDING
    revision: int = 0  # one more with every change made here
    position: int = 0  # the order of acceptance; a retried upload goes to the end
    # Whether the forwarder has something to do: hand it over, or, after a cancel, ask the rag_server whether an
    # earlier try had reached it and have it cancelled there.
    open: bool = True
    known_as: str = ""  # the rag_server's job id; another one than ours where it knew the request id before us
    refusal: Refusal | None = None  # set iff REFUSED
    held: bool = False  # just accepted, and claimed by who did: nothing else waits for the document

    @property
    def key(self) -> tuple[str, str]:
        """The identity of the document: entries with the same key go in order."""
        return self.upload.collection, self.upload.document_key

    @property
    def is_local(self) -> bool:
        """Whether the gateway speaks of the job, not the rag_server."""
        return self.state is not EntryState.FORWARDED


def same_request(known: Entry, asked: Upload, sha256: str) -> bool:
    """Whether an upload repeats the one that its request id stands for; an empty hash is not compared."""
    return known.key == (asked.collection, asked.document_key) and sha256 in {"", known.blob.sha256}
