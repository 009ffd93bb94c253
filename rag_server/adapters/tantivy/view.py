"""The word index as a view that follows the change log."""

import shutil
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tantivy import Index, IndexWriter, Query

from rag_server.adapters.tantivy import files
from rag_server.adapters.tantivy import schema as fields
from rag_server.adapters.tantivy.words import TantivyWords
from rag_server.domain.document import DocumentChunks, IndexedChunk

# Of the writer, used up to here before a segment is written; more makes larger segments out of large batches.
WRITER_MEMORY_BYTES = 48 << 20
# The engine merges small segments, as it calls them, once there are so many; nothing in Python tells it to.
MERGED_AT_ONCE = 8
SMALL_SEGMENT_CHUNKS = 10_000
MERGE_S = 30.0  # for so long it is looked whether a merge has ended
MOST_PUT_IN_AGAIN = 16  # chunks, of one portion half as many


@dataclass(frozen=True, slots=True, eq=False)
class _Working:
    """The index that is being worked on."""

    folder: Path
    index: Index
    writer: IndexWriter


class TantivyView:
    """Implements the port WordView.

    It works in a folder of its own that is worth nothing after the process: snapshots are what lasts.
    """

    def __init__(self, work: Path) -> None:
        self._work = work
        self._working: _Working | None = None
        self._latest: OrderedDict[int, IndexedChunk] = OrderedDict()  # a few that are in it, by id
        self._is_untidy = False
        self._merging_until_s = 0.0
        self._shown_segments = 0  # to readers

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
        self._is_untidy = True
        self._remember_a_few(documents)

    def tidy(self) -> bool:
        working = self._opened()
        if self._is_untidy:
            self._is_untidy = False
            self._have_small_ones_merged(working)
        if time.monotonic() >= self._merging_until_s:
            return False
        working.index.reload()
        return working.index.searcher().num_segments < self._shown_segments

    def _have_small_ones_merged(self, working: _Working) -> None:
        """A search asks every segment for every word: of a few small ones it takes three times as long as of one.

        So that there are enough of them to be merged, chunks are put in again, each into a segment of its own: at least
        one, since the engine looks only when something is put in.
        """
        if _small_segments(working) <= 1:
            return
        for chunk in self._latest.values():
            this_chunk = Query.term_query(working.index.schema, fields.CHUNK_ID, chunk.chunk_id, "basic")
            working.writer.delete_documents_by_query(this_chunk)
            working.writer.add_document(fields.entry_of(chunk, working.index.schema))
            working.writer.commit()
            if _small_segments(working) >= MERGED_AT_ONCE:
                break
        working.index.reload()
        self._merging_until_s = time.monotonic() + MERGE_S

    def _remember_a_few(self, documents: Sequence[DocumentChunks]) -> None:
        for document in documents:
            gone = [key for key, chunk in self._latest.items() if chunk.document_id == document.document_id]
            for key in gone:
                del self._latest[key]
            self._latest.update({chunk.chunk_id: chunk for chunk in document.chunks[: MOST_PUT_IN_AGAIN // 2]})
            while len(self._latest) > MOST_PUT_IN_AGAIN:
                self._latest.popitem(last=False)

    def state(self) -> TantivyWords:
        index = self._opened().index
        searcher = index.searcher()
        self._shown_segments = searcher.num_segments
        return TantivyWords(searcher, index.schema)

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
        self._latest.clear()
        folder = self._work / uuid.uuid4().hex
        folder.mkdir(parents=True)
        return folder

    def _begin(self, folder: Path) -> None:
        index = fields.open_index(folder)
        # One thread: it and the merging threads inherit the low priority of the thread that opens the writer.
        self._working = _Working(folder, index, index.writer(WRITER_MEMORY_BYTES, 1))
        index.reload()


def _small_segments(working: _Working) -> int:
    return sum(size < SMALL_SEGMENT_CHUNKS for size in files.segment_sizes(working.folder))


def _nothing() -> None:
    """All was done at once."""
