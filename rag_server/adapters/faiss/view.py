"""The vectors as a view that follows the change log."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag_server.adapters.faiss import files
from rag_server.adapters.faiss.block import Rows, document_key
from rag_server.adapters.faiss.collection import CollectionVectors, FaissVectors
from rag_server.adapters.faiss.growing import GrowingCollection
from rag_server.adapters.faiss.living_segment import opened
from rag_server.domain.document import DocumentChunks, IndexedChunk


class FaissView:
    """Implements the port VectorView: never changing what is being searched."""

    def __init__(self, dimensions: int) -> None:
        self._dimensions = dimensions
        self.clear()

    def clear(self) -> None:
        self._growing: dict[str, GrowingCollection] = {}
        self._state = FaissVectors(self._dimensions, {})

    def apply(self, documents: Sequence[DocumentChunks]) -> None:
        # What came last of a document is all that counts.
        latest: dict[str, dict[str, DocumentChunks]] = {}
        for document in documents:
            latest.setdefault(document.collection, {})[document.document_id] = document
        collections = dict(self._state.collections)
        for name, changed in latest.items():
            growing = self._growing.setdefault(name, GrowingCollection(_nothing(self._dimensions)))
            self._apply_to(growing, list(changed.values()))
            self._show(name, collections)
        self._state = FaissVectors(self._dimensions, collections)

    def adopt(self, collection: str, sha256: str, path: Path) -> None:
        growing = self._growing.get(collection)
        if growing is None:
            return
        growing.adopt(sha256, opened(path, self._dimensions, sha256))
        collections = dict(self._state.collections)
        self._show(collection, collections)
        self._state = FaissVectors(self._dimensions, collections)

    def state(self) -> FaissVectors:
        return self._state

    def freeze(self, folder: Path, earlier: Path | None) -> Callable[[], None]:
        return partial(files.write, self._state, folder, earlier)

    def restore(self, folder: Path) -> None:
        state = files.read(folder)
        if state.dimensions != self._dimensions:
            raise ValueError(f"vectors of {state.dimensions} dimensions instead of {self._dimensions}")
        self._growing = {name: GrowingCollection(collection) for name, collection in state.collections.items()}
        self._state = state

    def close(self) -> None:
        self.clear()

    def _show(self, name: str, collections: dict[str, CollectionVectors]) -> None:
        state = self._growing[name].state()
        if state is None:
            del self._growing[name]
            collections.pop(name, None)
        else:
            collections[name] = state

    def _apply_to(self, growing: GrowingCollection, documents: Sequence[DocumentChunks]) -> None:
        keys = [document_key(document.document_id) for document in documents]
        growing.remove(np.array(keys, np.int64).T)
        chunks = [chunk for document in documents for chunk in document.chunks]
        if chunks:
            counts = [len(document.chunks) for document in documents]
            growing.add(self._rows(chunks, np.repeat(np.array(keys, np.int64), counts, axis=0).T))

    def _rows(self, chunks: Sequence[IndexedChunk], documents: NDArray[np.int64]) -> Rows:
        vectors = np.stack([chunk.vector for chunk in chunks]).astype(np.float32, copy=False)
        if vectors.shape[1] != self._dimensions or not np.isfinite(vectors).all():
            raise ValueError(f"not finite vectors of {self._dimensions} dimensions")
        chunk_ids = np.array([chunk.chunk_id for chunk in chunks], np.int64)
        versions = np.array([chunk.version_id for chunk in chunks], np.int64)
        return Rows(vectors, chunk_ids, versions, documents, (vectors == 0).all(axis=1))


def _nothing(dimensions: int) -> CollectionVectors:
    return CollectionVectors((), (), files.empty_tail(dimensions))
