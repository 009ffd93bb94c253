"""What filters ask of documents, as a view that follows the change log."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from rag_server.adapters.postings import files
from rag_server.adapters.postings.collection import (
    CollectionDocuments,
    GrowingCollection,
    empty_collection,
    rebuilt,
    worth_rebuilding,
)
from rag_server.adapters.postings.documents import PostingsIndex
from rag_server.domain.document import DocumentChunks


class PostingsView:
    """Implements the port View of DocumentIndex: values by field that only grow, and a mask of who is alive."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._growing: dict[str, GrowingCollection] = {}
        self._state = PostingsIndex({})

    def apply(self, documents: Sequence[DocumentChunks]) -> None:
        # What came last of a document is all that counts.
        latest: dict[str, dict[str, DocumentChunks]] = {}
        for document in documents:
            latest.setdefault(document.collection, {})[document.document_id] = document
        collections = dict(self._state.collections)
        for name, changed in latest.items():
            state = self._apply_to(name, list(changed.values()))
            if state is None:
                collections.pop(name, None)
            else:
                collections[name] = state
        self._state = PostingsIndex(collections)

    def state(self) -> PostingsIndex:
        return self._state

    def freeze(self, folder: Path, earlier: Path | None) -> Callable[[], None]:
        del earlier  # all of it is small beside the vectors: it is written anew
        return partial(files.write, files.frozen(self._state.collections), folder)

    def restore(self, folder: Path) -> None:
        states = files.read(folder)
        self._growing = {name: GrowingCollection(state) for name, state in states.items()}
        self._state = PostingsIndex(states)

    def _apply_to(self, name: str, documents: Sequence[DocumentChunks]) -> CollectionDocuments | None:
        """The collection's state from now on; None where nothing is left."""
        growing = self._growing.pop(name, None) or GrowingCollection(empty_collection())
        growing.apply(documents)
        state = growing.state()
        if state is None:
            return None
        if worth_rebuilding(state):
            state = rebuilt(state)
            growing = GrowingCollection(state)
        self._growing[name] = growing
        return state

    def close(self) -> None:
        self.clear()
