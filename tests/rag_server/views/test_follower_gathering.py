"""Small changes that come in quick succession are applied together, and nobody waits long for it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from rag_server.adapters.tantivy.view import TantivyView
from rag_server.adapters.tantivy.words import TantivyWords
from rag_server.domain.document import DocumentChunks
from rag_server.index_ports import LexicalIndex
from rag_server.views import follower as follower_module
from tests.fakes.serving_views import following, library, texts

LONG_S = 20.0


@pytest.fixture
def _gathering(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as more is on its way, nothing is applied unless somebody hurries."""
    monkeypatch.setattr(follower_module, "GATHERED_TIMES", 1e9)
    monkeypatch.setattr(follower_module, "LONGEST_GATHERED_S", 1e9)
    monkeypatch.setattr(follower_module, "POLL_S", 1e6)


@pytest.fixture
def applied(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many documents were applied at once, each time."""
    counts: list[int] = []
    apply = TantivyView.apply

    def counted(view: TantivyView, documents: Sequence[DocumentChunks]) -> None:
        counts.append(len(documents))
        apply(view, documents)

    monkeypatch.setattr(TantivyView, "apply", counted)
    return counts


@pytest.mark.usefixtures("_gathering")
async def test_what_comes_while_more_is_on_its_way_is_applied_together(tmp_path: Path, applied: list[int]) -> None:
    log = library(1)
    with following(log, tmp_path) as follower:
        assert await follower.wait_for(1, LONG_S)
        log.growing = True
        for n in range(5):
            log.publish(f"n{n}", texts("nota"))
            follower.poke()
        waiting = asyncio.create_task(follower.wait_patiently(6, LONG_S))
        await asyncio.sleep(0)
        assert not waiting.done()
        log.growing = False
        follower.poke()
        assert await waiting
    assert applied == [1, 5]


@pytest.mark.usefixtures("_gathering")
async def test_who_waits_for_a_sequence_is_not_kept_waiting_for_more(tmp_path: Path) -> None:
    log = library(1)
    with following(log, tmp_path) as follower:
        assert await follower.wait_for(1, LONG_S)
        log.growing = True
        log.publish("n", texts("nota"))
        follower.poke()
        assert await follower.wait_for(2, LONG_S)


@pytest.mark.usefixtures("_gathering")
async def test_more_that_does_not_come_is_not_waited_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower_module, "LONGEST_GATHERED_S", 0.02)
    log = library(1)
    log.growing = True
    with following(log, tmp_path) as follower:
        log.publish("n", texts("nota"))
        follower.poke()
        assert await follower.wait_patiently(2, LONG_S)


def _segment_count(words: LexicalIndex) -> int:
    assert isinstance(words, TantivyWords)
    return words.searcher.num_segments


async def test_when_it_is_quiet_readers_get_fewer_segments_that_find_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_module, "TIDY_AFTER_S", 0.0)
    log = library(2)
    with following(log, tmp_path) as follower:
        for n in range(5):
            log.publish(f"a{n}", texts("nota um", "nota dois"))
            assert await follower.wait_for(log.last_sequence(), LONG_S)
        async with asyncio.timeout(LONG_S):
            while _segment_count(follower.current().words) > 1:
                await asyncio.sleep(0.01)
        assert np.array_equal(follower.current().words.chunk_ids(), log.current_chunk_ids())
        assert follower.applied_sequence == log.last_sequence()
