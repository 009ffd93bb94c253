"""The word index as a view that follows the change log."""

import shutil
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tantivy import Index, IndexWriter

from rag_server.adapters.tantivy import files
from rag_server.adapters.tantivy import schema as fields
from rag_server.adapters.tantivy.words import TantivyWords
from rag_server.domain.document import DocumentChunks

# Of the writer, used up to here before a segment is written; more makes larger segments out of large batches.
WRITER_MEMORY_BYTES = 48 << 20


@dataclass(frozen=True, slots=True, eq=False)
class _Working:
    """The index that is being worked on."""

    folder: Path
    index: Index
    writer: IndexWriter


class TantivyView:
    """Implements the port View of LexicalIndex.

    It works in a folder of its own that is worth nothing after the process: snapshots are what lasts.
    """

    def __init__(self, work: Path) -> None:
        self._work = work
        self._working: _Working | None = None

    def clear(self) -> None:
        self._begin(self._new_folder())

    def apply(self, documents: Sequence[DocumentChunks]) -> None:
        working = self._opened()
        for document in documents:
            working.writer.delete_documents_by_term(fields.DOCUMENT_ID, document.document_id)
            for chunk in document.chunks:
                working.writer.add_document(fields.entry_of(chunk, working.index.schema))
        working.writer.commit()
        working.index.reload()

    def state(self) -> TantivyWords:
        index = self._opened().index
        return TantivyWords(index.searcher(), index.schema)

    def freeze(self, folder: Path, earlier: Path | None) -> Callable[[], None]:
        del earlier  # the working folder has every file
        files.link_committed(self._opened().folder, folder)
        return _nothing

    def restore(self, folder: Path) -> None:
        work = self._new_folder()
        files.link_all(folder, work)
        self._begin(work)

    def close(self) -> None:
        # Dropped, not waited for: what a merge would make is not wanted any more.
        self._working = None
        shutil.rmtree(self._work, ignore_errors=True)

    def _opened(self) -> _Working:
        if self._working is None:
            raise RuntimeError("nothing was begun or restored yet")
        return self._working

    def _new_folder(self) -> Path:
        """An empty folder to work in; that of before goes, although its readers still have its files open."""
        self.close()
        folder = self._work / uuid.uuid4().hex
        folder.mkdir(parents=True)
        return folder

    def _begin(self, folder: Path) -> None:
        index = fields.open_index(folder)
        # One thread: it and the merging threads inherit the low priority of the thread that opens the writer.
        self._working = _Working(folder, index, index.writer(WRITER_MEMORY_BYTES, 1))
        index.reload()


def _nothing() -> None:
    """All was done at once."""
