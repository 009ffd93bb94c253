"""The documents of one collection: in the making, and as one state of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from rag_server.adapters.postings import passages as pages
from rag_server.adapters.postings.buffer import Buffer
from rag_server.adapters.postings.keys import Keys, Places, key_of
from rag_server.adapters.postings.passages import GrowingPassages, Passages
from rag_server.adapters.postings.paths import (
    KEY_FIELDS,
    Place,
    TooMuch,
    keys_of,
    metadata_values,
    plain_values,
)
from rag_server.adapters.postings.values import Ordinals, Values, empty_values, of_living
from rag_server.domain.document import DocumentChunks
from rag_server.domain.filter import Attributes, Json

MOST_PLACES = 10_000  # of a collection; what more there is in the metadata counts as overflow
FEWEST_REBUILT = 1_024  # a collection with fewer documents, dead and alive, is not worth it
_KEYS = len(KEY_FIELDS)


@dataclass(frozen=True, slots=True, eq=False)
class CollectionDocuments:
    """One state of a collection. The values may have grown since: only the first `count` documents are of it."""

    count: int
    alive: NDArray[np.bool_]  # (count,)
    version_ids: NDArray[np.int64]  # (count,)
    ascending: bool  # whether the version ids are
    keys: Keys  # (count, 2 * number of KEY_FIELDS)
    values: Mapping[Place, Values]
    overflow: Ordinals  # documents whose metadata may have more than the values
    passages: Passages

    def key_column(self, index: int) -> Keys:
        """Those of one of the KEY_FIELDS."""
        return self.keys[:, 2 * index : 2 * index + 2]


class GrowingCollection:
    """A collection in the making. What was read of it is never changed; one thread adds and removes."""

    def __init__(self, state: CollectionDocuments) -> None:
        self._alive = state.alive
        self._ascending = state.ascending
        self._last_version_id = int(state.version_ids[-1]) if state.count else 0
        self._documents = Buffer((state.version_ids, state.keys))
        self._values = dict(state.values)
        self._overflow = Buffer((state.overflow,))
        self._passages = GrowingPassages(state.passages)
        self._places = Places(state.key_column(0))

    def apply(self, documents: Sequence[DocumentChunks]) -> None:
        """What the documents are from now on; without attributes: gone. Each stands here once."""
        ids = self._ids()
        gone = [ordinal for each in documents for ordinal in self._places.of(key_of(each.document_id), ids)]
        added = [each for each in documents if each.attributes is not None]
        for each in added:
            assert each.attributes is not None  # noqa: S101 - for the type checker
            self._passages.add(len(self._documents), each.chunks)
            self._add(each.attributes)
        self._places.settle(self._ids())
        alive = np.concatenate([self._alive, np.ones(len(added), np.bool_)])  # a copy: readers have the old one
        alive[gone] = False
        self._alive = alive

    def state(self) -> CollectionDocuments | None:
        """What readers see from now on; None where nothing is left."""
        count = len(self._alive)
        living = int(np.count_nonzero(self._alive))
        if not living:
            return None
        version_ids, keys = self._documents.read()
        (overflow,) = self._overflow.read()
        return CollectionDocuments(
            count,
            self._alive,
            cast("NDArray[np.int64]", version_ids),
            self._ascending,
            cast("Keys", keys),
            self._values,
            cast("Ordinals", overflow),
            self._passages.read(),
        )

    def _ids(self) -> Keys:
        return cast("Keys", self._documents.read()[1])[:, :2]

    def _add(self, attributes: Attributes) -> None:
        keys = [key_of(text) for text in keys_of(attributes)]
        ordinal = len(self._documents)
        self._put(ordinal, plain_values(attributes))
        try:
            self._put(ordinal, metadata_values(attributes.metadata))
        except TooMuch:
            self._overflow.extend([ordinal])
        self._ascending = self._ascending and attributes.version_id > self._last_version_id
        self._last_version_id = attributes.version_id
        self._documents.append(attributes.version_id, [half for key in keys for half in key])
        self._places.add(keys[0], ordinal)

    def _put(self, ordinal: int, values: Iterable[tuple[Place, Json]]) -> None:
        for place, value in values:
            column = self._values.get(place)
            if column is None:
                if len(place) > 1 and len(self._values) >= MOST_PLACES:
                    raise TooMuch
                column = self._values[place] = empty_values()
            column.put(ordinal, value)


def empty_collection() -> CollectionDocuments:
    """A collection that has had no document yet."""
    keys = np.empty((0, 2 * _KEYS), np.uint64)
    return CollectionDocuments(
        0,
        np.empty(0, np.bool_),
        np.empty(0, np.int64),
        True,
        keys,
        {},
        np.empty(0, np.int32),
        pages.no_passages(),
    )


def worth_rebuilding(state: CollectionDocuments) -> bool:
    """Whether more than half of what is kept is of no use."""
    return state.count >= FEWEST_REBUILT and 2 * int(np.count_nonzero(state.alive)) < state.count


def rebuilt(state: CollectionDocuments) -> CollectionDocuments:
    """The same without the dead."""
    renumbered = np.cumsum(state.alive, dtype=np.int32) - 1
    values = {place: of_living(column, state.alive, renumbered) for place, column in state.values.items()}
    overflow = state.overflow[state.alive[state.overflow]]
    version_ids = state.version_ids[state.alive]
    return CollectionDocuments(
        len(version_ids),
        np.ones(len(version_ids), np.bool_),
        version_ids,
        np.array_equal(version_ids, np.unique(version_ids)),
        state.keys[state.alive],
        {place: column for place, column in values.items() if len(column)},
        renumbered[overflow],
        pages.of_living(state.passages, state.alive, renumbered),
    )
