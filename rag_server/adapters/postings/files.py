"""The documents of all collections as files: a few arrays for each collection, and a table of what stands in them."""

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag_server.adapters.postings.collection import CollectionDocuments
from rag_server.adapters.postings.passages import Passages
from rag_server.adapters.postings.paths import Place
from rag_server.adapters.postings.values import Entries, values_of

_TABLE = "collections.json"
_OF_DOCUMENTS = ("alive", "version_ids", "keys", "overflow")
_OF_PASSAGES = tuple(field.name for field in fields(Passages))
_OF_VALUES = tuple(field.name for field in fields(Entries) if field.name != "vocabulary")
# Joined arrays begin with an empty one: there may be nothing to join.
_NOTHING = {"codes": np.int32, "numbers": np.float64, "others": np.uint8}


def frozen(collections: Mapping[str, CollectionDocuments]) -> Mapping[str, CollectionDocuments]:
    """The same, whose fields are counted now: others may come meanwhile."""
    return {name: replace(state, values=dict(state.values)) for name, state in collections.items()}


def write(collections: Mapping[str, CollectionDocuments], folder: Path) -> None:
    """Put the collections into an empty folder."""
    table = []
    for number, (name, state) in enumerate(collections.items()):
        entries = {place: values.entries(state.count) for place, values in state.values.items()}
        for array in _OF_DOCUMENTS:
            np.save(_file(folder, number, array), getattr(state, array), allow_pickle=False)
        for array in _OF_PASSAGES:
            np.save(_file(folder, number, f"passages.{array}"), getattr(state.passages, array), allow_pickle=False)
        for array in _OF_VALUES:
            joined = [np.empty(0, _NOTHING.get(array, np.int32)), *(getattr(each, array) for each in entries.values())]
            np.save(_file(folder, number, array), np.concatenate(joined), allow_pickle=False)
        table.append(
            {"collection": name, "ascending": state.ascending, "fields": [_row(*each) for each in entries.items()]}
        )
    (folder / _TABLE).write_text(json.dumps(table), "ascii")


def read(folder: Path) -> dict[str, CollectionDocuments]:
    """What `write` wrote."""
    table = json.loads((folder / _TABLE).read_text("ascii"))
    return {row["collection"]: _collection(row, folder, number) for number, row in enumerate(table)}


def _row(place: Place, entries: Entries) -> dict[str, Any]:
    counts = [len(getattr(entries, array)) for array in _OF_VALUES]
    return {"place": place, "counts": counts, "vocabulary": entries.vocabulary}


def _collection(row: Mapping[str, Any], folder: Path, number: int) -> CollectionDocuments:
    joined = {name: _load(folder, number, name) for name in (*_OF_DOCUMENTS, *_OF_VALUES)}
    values = {}
    ends = [0] * len(_OF_VALUES)
    for field in row["fields"]:
        begins, ends = ends, [end + count for end, count in zip(ends, field["counts"], strict=True)]
        parts: list[Any] = [joined[name][begin:end] for name, begin, end in zip(_OF_VALUES, begins, ends, strict=True)]
        values[tuple(field["place"])] = values_of(Entries(*[*parts, field["vocabulary"]]))
    alive, version_ids, keys, overflow = (joined[name] for name in _OF_DOCUMENTS)
    passages = Passages(*[_load(folder, number, f"passages.{name}") for name in _OF_PASSAGES])
    return CollectionDocuments(len(alive), alive, version_ids, row["ascending"], keys, values, overflow, passages)


def _load(folder: Path, number: int, name: str) -> NDArray[Any]:
    array: NDArray[Any] = np.load(_file(folder, number, name), allow_pickle=False)
    return array


def _file(folder: Path, number: int, name: str) -> Path:
    return folder / f"{number}.{name}.npy"
