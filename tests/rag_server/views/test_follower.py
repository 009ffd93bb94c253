"""The views follow the change log, whatever comes between."""

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import structlog

from rag_server.adapters.tantivy.view import TantivyView
from rag_server.domain.document import Change, DocumentChunks
from rag_server.domain.errors import NotReady
from rag_server.domain.segment import StoredSegment
from rag_server.views import follower as follower_module
from rag_server.views.follower import Follower
from rag_server.views.snapshot import ViewsInUse
from tests.fakes.change_log import MemoryChangeLog
from tests.fakes.serving_views import EMBEDDER, follower_of, following, library, texts
from tests.rag_server.adapters.faiss.segmented import segment_of

LONG_S = 20.0


@pytest.fixture(autouse=True)
def _fast_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower_module, "PAUSES_S", (0.01,))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LONG_S):
        while not condition():
            await asyncio.sleep(0.01)


def ids(follower: Follower) -> tuple[list[int], list[int]]:
    state = follower.current()
    return state.vectors.chunk_ids().tolist(), state.words.chunk_ids().tolist()


async def test_what_is_published_deleted_and_published_again_is_followed(tmp_path: Path) -> None:
    log = library(3)
    with following(log, tmp_path) as follower:
        assert await follower.wait_for(3, LONG_S)
        assert ids(follower) == ([1, 2, 3, 4, 5, 6],) * 2
        log.delete("d0")
        log.publish("d1", texts("nova versão"))
        follower.poke()
        assert await follower.wait_for(5, LONG_S)
        assert ids(follower) == ([5, 6, 7],) * 2
        assert follower.applied_sequence == 5


async def test_a_lost_nudge_only_costs_a_polling_interval(tmp_path: Path) -> None:
    log = library(1)
    with following(log, tmp_path) as follower:
        assert await follower.wait_for(1, LONG_S)
        log.delete("d0")  # and no poke
        assert await follower.wait_for(2, LONG_S)


async def test_both_indexes_and_the_sequence_are_of_one_moment(tmp_path: Path) -> None:
    log = library(1)
    with following(log, tmp_path) as follower:
        assert await follower.wait_for(1, LONG_S)
        for n in range(40):
            log.publish("d0", texts(*(f"versão {n}" for _ in range(n % 5 + 1))))
            follower.poke()
            state = follower.current()
            assert state.vectors.chunk_ids().tolist() == state.words.chunk_ids().tolist()
        assert await follower.wait_for(41, LONG_S)


def test_before_the_views_are_read_there_is_nothing_to_search(tmp_path: Path) -> None:
    follower = follower_of(library(1), tmp_path)
    assert follower.applied_sequence == -1
    with pytest.raises(NotReady):
        follower.current()
    follower.stop()


async def test_the_lag_is_told(tmp_path: Path) -> None:
    log = library(2)
    follower = follower_of(log, tmp_path)
    await until(lambda: follower.behind_s > 0)
    follower.start()
    assert await follower.wait_for(2, LONG_S)
    assert follower.behind_s == 0
    await asyncio.to_thread(follower.stop)


async def test_only_one_server_may_use_a_folder(tmp_path: Path) -> None:
    log = library(1)
    with following(log, tmp_path), pytest.raises(ViewsInUse):
        follower_of(log, tmp_path).start()
    with following(log, tmp_path) as follower:
        assert await follower.wait_for(1, LONG_S)


async def test_a_restart_goes_on_from_the_snapshot(tmp_path: Path) -> None:
    log = library(5)
    with following(log, tmp_path) as follower:
        assert await follower.wait_for(5, LONG_S)
    log.delete("d2")
    reads: list[int] = []
    counted = _Counting(log, reads)
    with following(counted, tmp_path) as follower:
        assert await follower.wait_for(6, LONG_S)
        assert ids(follower) == ([1, 2, 3, 4, 7, 8, 9, 10],) * 2
    assert min(reads) == 4  # the change that the snapshot ends with, to see whether it is the same


async def test_nothing_is_written_where_nothing_changed(tmp_path: Path) -> None:
    log = library(2)
    for _ in range(2):
        with following(log, tmp_path) as follower:
            assert await follower.wait_for(2, LONG_S)
    assert len(list(tmp_path.glob("snap-*"))) == 1


async def test_a_gap_in_the_log_is_never_skipped(tmp_path: Path) -> None:
    log = library(4)
    gappy = _Gappy(log)
    with structlog.testing.capture_logs() as lines, following(gappy, tmp_path) as follower:
        assert await follower.wait_for(2, LONG_S)
        await until(lambda: gappy.gaps_seen > 2)
        assert follower.applied_sequence == 2
        gappy.missing = 0
        assert await follower.wait_for(4, LONG_S)
        assert ids(follower) == (list(range(1, 9)),) * 2
    assert any(line["event"] == "views_built_anew" for line in lines)


async def test_a_view_that_breaks_is_built_anew_while_the_old_state_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = library(3)
    with following(log, tmp_path) as follower:
        assert await follower.wait_for(3, LONG_S)
        healthy = TantivyView.apply
        broken = [True] * 3

        def apply(view: TantivyView, documents: Sequence[DocumentChunks]) -> None:
            if broken:
                broken.pop()
                raise OSError("no space left on device")
            healthy(view, documents)

        monkeypatch.setattr(TantivyView, "apply", apply)
        log.publish("d9", texts("mais um"))
        follower.poke()
        while not await follower.wait_for(4, 0.01):
            shown = follower.current()  # looked at once: it may move on at any time
            assert (shown.sequence, len(shown.vectors.chunk_ids())) in {(3, 6), (4, 7)}
        assert ids(follower) == ([1, 2, 3, 4, 5, 6, 7],) * 2


async def test_a_store_that_does_not_answer_is_asked_again(tmp_path: Path) -> None:
    log = library(2)
    failing = _Failing(log, 5)
    with following(failing, tmp_path) as follower:
        assert await follower.wait_for(2, LONG_S)
    assert failing.left == 0


async def test_a_log_that_was_turned_back_is_followed_from_its_start(tmp_path: Path) -> None:
    log = library(6)
    with following(log, tmp_path) as follower:
        assert await follower.wait_for(6, LONG_S)
        with log.lock:
            del log.log[3:]
            for name in ("d3", "d4", "d5"):
                del log.current[name]
        await until(lambda: ids(follower) == ([1, 2, 3, 4, 5, 6],) * 2)
        assert follower.applied_sequence == 3


async def test_a_snapshot_from_beyond_the_log_is_not_loaded(tmp_path: Path) -> None:
    with following(library(6), tmp_path) as follower:
        assert await follower.wait_for(6, LONG_S)
    with following(library(2), tmp_path) as follower:
        assert await follower.wait_for(2, LONG_S)
        await until(lambda: ids(follower) == ([1, 2, 3, 4],) * 2)


async def test_a_snapshot_of_another_history_is_found_out(tmp_path: Path) -> None:
    with following(library(3), tmp_path) as follower:
        assert await follower.wait_for(3, LONG_S)
    other = library(2)
    other.publish("zzz", texts("um", "dois", "três", "quatro"))
    with following(other, tmp_path) as follower:
        assert await follower.wait_for(0, LONG_S)
        await until(lambda: ids(follower) == ([1, 2, 3, 4, 5, 6, 7, 8],) * 2)


async def test_the_thread_gives_way_to_searches(tmp_path: Path) -> None:
    log = library(1)
    with following(log, tmp_path) as follower:
        assert await follower.wait_for(1, LONG_S)
        native_id = follower._thread.native_id
        assert native_id is not None
        assert os.getpriority(os.PRIO_PROCESS, native_id) == follower_module.NICENESS


async def test_dense_results_are_those_of_the_store(tmp_path: Path) -> None:
    log = library(20)
    with following(log, tmp_path) as follower:
        assert await follower.wait_for(20, LONG_S)
        vector = EMBEDDER.embed_query("a licitação 7 foi publicada")
        (found,) = follower.current().vectors.search("default", vector[np.newaxis], 1)
        assert found.chunk_ids.tolist() == [16]


async def test_a_segment_without_its_file_is_told_and_its_rows_stay_exact(tmp_path: Path) -> None:
    log = library(3)
    log.put_into_use(StoredSegment(1, "default", "a" * 64, 1, 6))
    log.publish("d9", texts("mais um"))
    with structlog.testing.capture_logs() as lines, following(log, tmp_path) as follower:
        assert await follower.wait_for(5, LONG_S)
        assert ids(follower) == (list(range(1, 8)),) * 2
        assert follower.current().vectors.holdings()["default"].exact_rows == 7
    assert [line["segment"] for line in lines if line["event"] == "segment_not_adopted"] == [1]
    assert not any(line["event"] == "views_built_anew" for line in lines)


async def test_a_restart_maps_the_segment_of_the_snapshot(tmp_path: Path) -> None:
    log = library(3)
    name, path = segment_of(list(log.chunks().values()), tmp_path, EMBEDDER.dimensions)
    log.put_into_use(StoredSegment(1, "default", name, 1, 6))
    with following(log, tmp_path) as follower:
        assert await follower.wait_for(4, LONG_S)
    path.unlink()
    log.delete("d1")
    with following(log, tmp_path) as follower:
        assert await follower.wait_for(5, LONG_S)
        assert ids(follower) == ([1, 2, 5, 6],) * 2
        (segment,) = follower.current().vectors.holdings()["default"].segments
        assert (segment.rows, segment.living) == (6, 4)


class _Wrapped:
    def __init__(self, log: MemoryChangeLog) -> None:
        self.log = log
        self.last_sequence = log.last_sequence
        self.chunks_of = log.chunks_of
        self.is_growing = log.is_growing
        self.attributes_of = log.attributes_of
        self.current_version_ids = log.current_version_ids
        self.current_chunk_ids = log.current_chunk_ids
        self.passages = log.passages
        self.segment = log.segment


class _Counting(_Wrapped):
    def __init__(self, log: MemoryChangeLog, reads: list[int]) -> None:
        super().__init__(log)
        self.reads = reads

    def changes(self, after: int, limit: int) -> list[Change]:
        self.reads.append(after)
        return self.log.changes(after, limit)


class _Gappy(_Wrapped):
    def __init__(self, log: MemoryChangeLog) -> None:
        super().__init__(log)
        self.missing = 3
        self.gaps_seen = 0

    def changes(self, after: int, limit: int) -> list[Change]:
        found = self.log.changes(after, min(limit, 3))
        kept = [change for change in found if change.sequence != self.missing]
        self.gaps_seen += kept != found
        return kept


class _Failing(_Wrapped):
    def __init__(self, log: MemoryChangeLog, left: int) -> None:
        super().__init__(log)
        self.left = left

    def changes(self, after: int, limit: int) -> list[Change]:
        if self.left:
            self.left -= 1
            raise OSError("the store does not answer")
        return self.log.changes(after, limit)
