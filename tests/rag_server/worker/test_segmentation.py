"""A claimed job becomes a segment that is in use; what it is built of is what the store has."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest
import uuid_utils

from rag_server.adapters.faiss.segment import open_segment
from rag_server.adapters.segment_process.builder import SegmentProcesses
from rag_server.domain.job import Claim, JobKind, JobState, Order
from rag_server.domain.segment import SegmentLimits
from rag_server.ports import JobFilter
from rag_server.segment_ports import BuildFailed, SegmentBuild
from rag_server.worker import segmentation
from rag_server.worker.loop import GiveWay
from rag_server.worker.progress import ProgressMeter
from rag_server.worker.segmentation import Segmentation
from storage.blobs import BlobFolder
from tests.contracts.ingesting import claim, ingest, ingested, order, tick
from tests.fakes.store_ports import DIMENSIONS, StorePorts, memory_ports

LIMITS = SegmentLimits(min_rows=4, max_rows=20)


@dataclass(frozen=True)
class Bench:
    store: StorePorts
    blobs: BlobFolder
    work: Segmentation

    async def ask(self) -> Claim:
        order = Order(str(uuid_utils.uuid7()), "default", "", "", "", 0, priority=9, kind=JobKind.MAINTENANCE)
        assert await self.store.segments.ask(order, tick())
        return await claim(self.store)

    async def build(self) -> None:
        await self.work.carry_out(await self.ask(), ProgressMeter(0.0))

    async def held(self) -> list[list[int]]:
        """The chunks of each segment in use."""
        current = await self.store.segments.current("default")
        return [sorted(open_segment(self.blobs.path(one.sha256)).chunk_ids.tolist()) for one in current]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    store, blobs = memory_ports(), BlobFolder(tmp_path / "blobs")
    return Bench(store, blobs, segmentation_of(store, blobs))


def segmentation_of(store: StorePorts, blobs: BlobFolder) -> Segmentation:
    return Segmentation(store.segments, store.slot, blobs, SegmentProcesses(DIMENSIONS, "m"), LIMITS)


def flip(path: Path) -> None:
    """Another last byte."""
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def words(count: int, seed: str = "w") -> str:
    return " ".join(f"{seed}{number}" for number in range(count))


async def test_what_waits_becomes_a_segment(bench: Bench) -> None:
    await ingest(bench.store, "a", words(3, "a"))
    await ingest(bench.store, "b", words(3, "b"))
    await bench.build()
    assert await bench.held() == [bench.store.change_log.current_chunk_ids().tolist()]
    (segment,) = await bench.store.segments.current("default")
    opened = open_segment(bench.blobs.path(segment.sha256))
    rows = await bench.store.segments.rows(opened.chunk_ids)
    places = opened.rows_of(rows.chunk_ids)
    assert opened.versions[places].tolist() == rows.version_ids.tolist()
    np.testing.assert_allclose(opened.vectors_of(places), rows.vectors, atol=0.02)
    assert bench.blobs.incoming() == []


async def test_too_few_that_wait_change_nothing(bench: Bench) -> None:
    await ingest(bench.store, "a", words(3))
    held = await bench.ask()
    await bench.work.carry_out(held, ProgressMeter(0.0))
    job = await bench.store.jobs.get(held.job.order.job_id)
    assert (job.ended, job.sequence, await bench.held()) == (True, 0, [])


async def test_a_small_segment_goes_into_the_next_one_without_its_dead_rows(bench: Bench) -> None:
    gone = await ingested(bench.store, "a", words(3, "a"))
    await ingest(bench.store, "b", words(3, "b"))
    await bench.build()
    await bench.store.documents.delete(gone.document_id, "default", tick())
    await ingest(bench.store, "c", words(4, "c"))
    await bench.build()
    assert await bench.held() == [bench.store.change_log.current_chunk_ids().tolist()]


async def test_what_is_too_much_for_one_segment_is_left_for_the_next(bench: Bench) -> None:
    await ingest(bench.store, "a", words(25))
    await bench.build()
    await ingest(bench.store, "b", words(4, "b"))
    await bench.build()
    first, second = await bench.held()
    assert (len(first), len(second)) == (20, 9)
    assert sorted(first + second) == bench.store.change_log.current_chunk_ids().tolist()


async def test_a_segment_that_is_mostly_dead_is_built_anew(bench: Bench) -> None:
    gone = await ingested(bench.store, "a", words(4, "a"))
    await ingest(bench.store, "b", words(3, "b"))
    await bench.build()
    await bench.store.documents.delete(gone.document_id, "default", tick())
    await bench.build()
    assert await bench.held() == [bench.store.change_log.current_chunk_ids().tolist()]


async def test_a_segment_without_living_rows_goes(bench: Bench) -> None:
    gone = await ingested(bench.store, "a", words(4, "a"))
    await bench.build()
    await bench.store.documents.delete(gone.document_id, "default", tick())
    await bench.build()
    assert await bench.held() == []


@pytest.mark.parametrize("harm", [Path.unlink, flip, lambda path: path.write_bytes(b"no segment")])
async def test_a_segment_whose_file_is_not_whole_is_replaced(bench: Bench, harm: Callable[[Path], object]) -> None:
    await ingest(bench.store, "a", words(5))
    await bench.build()
    (old,) = await bench.store.segments.current("default")
    path = bench.blobs.path(old.sha256)
    harm(path)
    await bench.build()
    assert await bench.held() == [bench.store.change_log.current_chunk_ids().tolist()]
    (new,) = await bench.store.segments.current("default")
    assert hashlib.sha256(bench.blobs.path(new.sha256).read_bytes()).hexdigest() == new.sha256


class _Slow(SegmentProcesses):
    """Builds that have a child which waits for its last rows until it is let go on."""

    def __init__(self) -> None:
        super().__init__(DIMENSIONS, "m")
        self.go_on = asyncio.Event()
        self.builds = 0

    async def begin(self, path: Path, expected_rows: int, on_progress: Callable[[int, int], None]) -> SegmentBuild:
        self.builds += 1
        build = await super().begin(path, expected_rows, on_progress)
        finish = build.finish

        async def later() -> int:
            await self.go_on.wait()
            return await finish()

        build.finish = later  # type: ignore[method-assign] # the test holds it back
        return build


def children() -> list[psutil.Process]:
    found = [one for one in psutil.Process().children() if one.status() != psutil.STATUS_ZOMBIE]
    return [one for one in found if "rag_server.segment" in one.cmdline()]


@pytest.fixture
def at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A build looks all the time whether something waits, and gives way at once."""
    monkeypatch.setattr(segmentation, "SLICE_S", 0.0)
    monkeypatch.setattr(segmentation, "LOOK_S", 0.01)


@pytest.mark.usefixtures("at_every_step")
async def test_documents_that_wait_go_first_and_the_build_goes_on_where_it_was(bench: Bench) -> None:
    slow = _Slow()
    work = Segmentation(bench.store.segments, bench.store.slot, bench.blobs, slow, LIMITS)
    await ingest(bench.store, "a", words(5))
    held = await bench.ask()
    carrying = asyncio.create_task(work.carry_out(held, ProgressMeter(0.0)))
    async with asyncio.timeout(20):
        while not children():
            await asyncio.sleep(0.01)
    await bench.store.jobs.admit(order("b", "one"), tick())
    with pytest.raises(GiveWay) as way:
        await carrying
    (child,) = children()
    async with asyncio.timeout(20):
        while child.status() != psutil.STATUS_STOPPED:
            await asyncio.sleep(0.01)
    now = tick()
    await bench.store.slot.release(held, now, now)
    slow.go_on.set()
    assert way.value.until > 0
    again = await claim(bench.store, now)
    assert again.job.order == held.job.order
    document = await bench.store.jobs.list_jobs(JobFilter(states=frozenset({JobState.QUEUED})), "", 9)
    await bench.store.jobs.cancel(document[0].order.job_id, now)
    await work.carry_out(again, ProgressMeter(0.0))
    assert (slow.builds, children()) == (1, [])
    assert await bench.held() == [bench.store.change_log.current_chunk_ids().tolist()]


@pytest.mark.usefixtures("at_every_step")
async def test_a_build_that_is_paused_ends_with_the_worker(bench: Bench) -> None:
    work = Segmentation(bench.store.segments, bench.store.slot, bench.blobs, _Slow(), LIMITS)
    await ingest(bench.store, "a", words(5))
    held = await bench.ask()
    await bench.store.jobs.admit(order("b", "one"), tick())
    with pytest.raises(GiveWay):
        await work.carry_out(held, ProgressMeter(0.0))
    await work.close()
    assert (children(), bench.blobs.incoming()) == ([], [])


async def test_a_build_that_is_cancelled_leaves_nothing(bench: Bench) -> None:
    slow = _Slow()
    work = Segmentation(bench.store.segments, bench.store.slot, bench.blobs, slow, LIMITS)
    await ingest(bench.store, "a", words(5))
    carrying = asyncio.create_task(work.carry_out(await bench.ask(), ProgressMeter(0.0)))
    async with asyncio.timeout(20):
        while not children():
            await asyncio.sleep(0.01)
    carrying.cancel()
    await asyncio.gather(carrying, return_exceptions=True)
    assert (children(), bench.blobs.incoming(), await bench.held()) == ([], [], [])


class _Broken(SegmentProcesses):
    """The child is killed from outside."""

    async def begin(self, path: Path, expected_rows: int, on_progress: Callable[[int, int], None]) -> SegmentBuild:
        build = await super().begin(path, expected_rows, on_progress)
        for child in children():
            child.kill()
        return build


async def test_a_build_that_dies_fails_the_job_and_leaves_nothing(bench: Bench) -> None:
    work = Segmentation(bench.store.segments, bench.store.slot, bench.blobs, _Broken(DIMENSIONS, "m"), LIMITS)
    await ingest(bench.store, "a", words(5))
    with pytest.raises(BuildFailed):
        await work.carry_out(await bench.ask(), ProgressMeter(0.0))
    assert (children(), bench.blobs.incoming(), await bench.held()) == ([], [], [])


@pytest.mark.usefixtures("at_every_step")
async def test_a_build_that_is_paused_before_it_has_a_process_is_paused_with_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = _Slow()
    may_begin = asyncio.Event()
    begin = slow.begin

    async def late(path: Path, expected_rows: int, on_progress: Callable[[int, int], None]) -> SegmentBuild:
        await may_begin.wait()
        return await begin(path, expected_rows, on_progress)

    monkeypatch.setattr(slow, "begin", late)
    work = Segmentation(bench.store.segments, bench.store.slot, bench.blobs, slow, LIMITS)
    await ingest(bench.store, "a", words(5))
    held = await bench.ask()
    await bench.store.jobs.admit(order("b", "one"), tick())
    with pytest.raises(GiveWay):
        await work.carry_out(held, ProgressMeter(0.0))
    may_begin.set()
    async with asyncio.timeout(20):
        while not any(child.status() == psutil.STATUS_STOPPED for child in children()):
            await asyncio.sleep(0.01)
    await work.close()
    assert children() == []
