"""What the machine sees of a document, before anything is stored."""

from collections.abc import Sequence
from dataclasses import dataclass

from rag_server.domain.chunk import Chunk
from rag_server.domain.extraction import DocumentText, Extraction
from rag_server.domain.failure import Failure
from rag_server.domain.job import JobState


@dataclass(frozen=True, slots=True)
class Preview:
    """The extraction, the text and the chunks, or why there are none. Times are seconds."""

    extraction: Extraction | None = None  # None where nothing could be read
    document: DocumentText | None = None  # set with the extraction
    chunks: Sequence[Chunk] = ()
    failure: Failure | None = None
    extracting_s: float = 0.0
    chunking_s: float = 0.0

    @property
    def outcome(self) -> JobState:
        """The state that a job over the document would end in."""
        if self.failure is not None:
            return JobState.FAILED
        is_partial = self.extraction is not None and self.extraction.problem is not None
        return JobState.SUCCEEDED_PARTIALLY if is_partial else JobState.SUCCEEDED

    @property
    def why(self) -> Failure | None:
        """What went wrong, with the whole document or with a part of it."""
        return self.failure or (self.extraction.problem if self.extraction is not None else None)
