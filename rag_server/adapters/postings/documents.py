"""One state of what filters ask of the documents of all collections."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag_server.adapters.postings.bounds import Bounds, bounds_of
from rag_server.adapters.postings.collection import CollectionDocuments
from rag_server.domain.filter import Field, Filter
from rag_server.domain.search import FacetField
from rag_server.domain.version_set import Parts, VersionSet

_FIELD_OF = {
    FacetField.MEDIA_TYPE: Field.MEDIA_TYPE,
    FacetField.LANGUAGE: Field.LANGUAGE,
    FacetField.TAG: Field.TAGS,
}
_NONE = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class PostingsIndex:
    """Implements the port DocumentIndex.

    `meant` is exact unless the filter looks at the order of keys or file names (hashes have none), or at metadata that
    is not kept: texts over 512 bytes, where they are compared with others than shorter ones, and documents with more
    than 256 paths, 1,024 values or 8 levels. Then `VersionSet.exact` is false: nothing that is meant is missing, and
    `matches` tells of each passage whether it is.
    """

    collections: Mapping[str, CollectionDocuments]

    def meant(self, collection: str, wanted: Filter) -> VersionSet:
        state = self.collections.get(collection)
        if state is None:
            return VersionSet(_NONE)
        bounds = bounds_of(wanted, state)
        if bounds.exact or not len(state.passages):
            return VersionSet(_ids(state, bounds.may & state.alive), bounds.exact)
        return _meant_in_part(wanted, state, bounds)

    def counts(self, collection: str, field: FacetField, version_ids: NDArray[np.int64]) -> list[tuple[str, int]]:
        state = self.collections.get(collection)
        values = None if state is None else state.values.get((_FIELD_OF[field],))
        if state is None or values is None:
            return []
        counted = VersionSet(np.sort(version_ids)).holds(state.version_ids) & state.alive
        found = [(text, count) for text, count in values.counts(counted) if text]
        return sorted(found, key=lambda each: (-each[1], each[0]))

    def version_ids(self) -> NDArray[np.int64]:
        alive = [state.version_ids[state.alive] for state in self.collections.values()]
        return np.sort(np.concatenate([_NONE, *alive]))


def _meant_in_part(wanted: Filter, state: CollectionDocuments, bounds: Bounds) -> VersionSet:
    """What is meant where passages of one document differ."""
    unsure = bounds.may & ~bounds.must & state.alive
    passages = state.passages.take(unsure[state.passages.ordinals])
    of_passages = bounds_of(wanted, state, passages)
    meant = passages.take(of_passages.may)
    in_part = meant.paged(state.count)
    unknown = unsure & ~state.passages.paged(state.count)
    exact = not unknown.any() and (of_passages.exact or np.array_equal(of_passages.may, of_passages.must))
    whole = (bounds.must & state.alive) | unknown
    parts = Parts(_ids(state, in_part), np.sort(meant.chunk_ids))
    return VersionSet(_ids(state, whole | in_part), exact, parts)


def _ids(state: CollectionDocuments, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The versions of some documents, ascending."""
    version_ids = state.version_ids[np.flatnonzero(chosen)]
    return version_ids if state.ascending else np.sort(version_ids)
