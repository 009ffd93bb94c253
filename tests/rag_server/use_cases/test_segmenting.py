"""Segments are asked for where many rows are exact, once."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import cast

import pytest

from rag_server.domain.job import JobKind
from rag_server.domain.segment import LivingRows, SegmentLimits, VectorHolding
from rag_server.index_ports import Indexes, IndexState
from rag_server.use_cases import segmenting
from rag_server.use_cases.segmenting import Segmenting
from tests.contracts.ingesting import LEASE_S, tick
from tests.fakes.memory_wakeups import MemoryWakeups
from tests.fakes.store_ports import StorePorts, memory_ports

LIMITS = SegmentLimits(min_rows=10, max_rows=100)


@dataclass
class HeldVectors:
    """The part of indexes that is looked at."""

    held: Mapping[str, VectorHolding]

    def holdings(self) -> Mapping[str, VectorHolding]:
        return self.held

    def current(self) -> IndexState:
        return cast("IndexState", SimpleNamespace(vectors=self))


def holding(exact_rows: int, *segments: LivingRows) -> VectorHolding:
    return VectorHolding(exact_rows, segments, 1)


@pytest.fixture
def store() -> StorePorts:
    return memory_ports()


def looking(store: StorePorts, held: Mapping[str, VectorHolding]) -> tuple[HeldVectors, Segmenting]:
    vectors = HeldVectors(held)
    return vectors, Segmenting(cast("Indexes", vectors), store.segments, MemoryWakeups(), LIMITS)


async def finish_one(store: StorePorts) -> str | None:
    """Carry one job out that finds nothing to do; its collection."""
    now = tick()
    claim = await store.slot.claim("slot-0", now, LEASE_S)
    if claim is None:
        return None
    assert claim.job.order.kind is JobKind.MAINTENANCE
    await store.segments.publish(claim, None, (), now)
    return claim.job.order.collection


async def test_many_exact_rows_and_mostly_dead_segments_are_asked_for(store: StorePorts) -> None:
    held = {
        "few": holding(9, LivingRows(10, 10)),
        "many": holding(10),
        "dead": holding(0, LivingRows(10, 4)),
    }
    _, use_case = looking(store, held)
    await use_case.look()
    await use_case.look()
    assert {await finish_one(store), await finish_one(store)} == {"many", "dead"}
    assert await finish_one(store) is None


async def test_what_was_asked_for_lately_is_asked_for_again_only_when_something_came_of_it(
    store: StorePorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors, use_case = looking(store, {"many": holding(10)})
    await use_case.look()
    assert await finish_one(store) == "many"
    await use_case.look()
    assert await finish_one(store) is None
    vectors.held = {"many": holding(10, LivingRows(100, 100))}
    await use_case.look()
    assert await finish_one(store) == "many"
    monkeypatch.setattr(segmenting, "ASK_AGAIN_S", 0.0)
    await use_case.look()
    assert await finish_one(store) == "many"
