"""Documents are found again by their keys."""

import numpy as np
import pytest

from rag_server.adapters.postings import keys as module
from rag_server.adapters.postings.keys import Places, having_one_of, key_of


def test_every_place_of_a_document_is_found_sorted_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FEWEST_UNSORTED", 3)
    names = [f"d{n % 5}" for n in range(23)]
    keys = np.array([key_of(name) for name in names], np.uint64)
    places = Places(keys[:0])
    latest: dict[str, int] = {}
    for ordinal, name in enumerate(names):
        places.add(key_of(name), ordinal)
        places.settle(keys[: ordinal + 1])
        latest[name] = ordinal
        assert all(latest[each] in places.of(key_of(each), keys[: ordinal + 1]) for each in latest)
        assert places.of(key_of("none"), keys[: ordinal + 1]) == []


def test_equal_first_halves_are_told_apart() -> None:
    key = key_of("a")
    keys = np.array([(key[0], key[1] ^ 1), key], np.uint64)
    assert having_one_of(keys, ["a"]).tolist() == [1]
    assert having_one_of(keys, ["a", "b"]).tolist() == [1]
    assert having_one_of(keys, []).tolist() == []
    assert Places(keys).of(key, keys) == [1]
