"""Remembering how answers were ordered, as long as the indexes stay as they are."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import NamedTuple
from weakref import proxy

from rag_server.domain.explanation import Remembered
from rag_server.domain.near_duplicates import gate_key
from rag_server.domain.search import Degradation, Query
from rag_server.index_ports import IndexState
from rag_server.use_cases.ordering import Ordered
from rag_server.use_cases.timing import StageClock

MOST_ORDERS = 512  # some 30 KB each at the most

# With these an answer is whole: it would be the same again.
_WHOLE = frozenset({Degradation.NO_PHRASE})


class OrderKey(NamedTuple):
    """What the order of an answer depends on beside the state of the indexes. Wordings behind one gate share it."""

    gate: str
    collection: str
    mode: str
    wanted: str
    min_relevance: float
    diversity: float
    rerank: str
    vector: bytes


@dataclass(frozen=True, slots=True)
class Recalled:
    """An order from before."""

    ordered: Ordered
    how: Remembered


def key_of(query: Query) -> OrderKey:
    """Equal for queries that have one order."""
    return OrderKey(
        gate_key(query.normal_text),
        query.collection,
        query.mode,
        repr(query.wanted),  # where `1` and `true` differ, which are equal as values
        query.min_relevance,
        query.diversity,
        query.rerank,
        b"" if query.vector is None else query.vector.tobytes(),
    )


class Remembering:
    """The latest orders, of the newest sequence only. Safe to use from several threads.

    They do not keep a state of the indexes alive: to let go of its files takes milliseconds, in which no thread gets
    on, and must not fall to a search.
    """

    def __init__(self) -> None:
        self._orders: OrderedDict[OrderKey, tuple[str, Ordered]] = OrderedDict()
        self._sequence = -1
        self._lock = threading.Lock()

    def recall(self, key: OrderKey, text: str, state: IndexState) -> Recalled | None:
        """The order for the key, as a new search's in this state, and whether it was made for this very text."""
        with self._lock:
            if state.sequence != self._sequence or key not in self._orders:
                return None
            self._orders.move_to_end(key)
            asked, ordered = self._orders[key]
        ordered = replace(ordered, question=replace(ordered.question, state=state, clock=StageClock()))
        return Recalled(ordered, Remembered.HIT if asked == text else Remembered.NEAR_HIT)

    def remember(self, key: OrderKey, text: str, ordered: Ordered) -> None:
        """Keep it, unless something had to be left out of it or the indexes have moved on."""
        if not _WHOLE.issuperset(ordered.degraded):
            return
        question = ordered.question
        sequence = question.state.sequence
        stateless = replace(ordered, question=replace(question, state=proxy(question.state)))
        with self._lock:
            if sequence < self._sequence:
                return
            if sequence > self._sequence:
                self._orders.clear()
                self._sequence = sequence
            self._orders[key] = (text, stateless)
            self._orders.move_to_end(key)
            if len(self._orders) > MOST_ORDERS:
                self._orders.popitem(last=False)
