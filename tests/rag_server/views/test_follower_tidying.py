"""What the follower does while nothing changes lasts."""

import asyncio
from pathlib import Path

import pytest

from rag_server.adapters.tantivy.words import TantivyWords
from rag_server.views import follower as follower_module
from rag_server.views.follower import Follower
from tests.fakes.serving_views import following, library, texts

LONG_S = 20.0


def parts_of(follower: Follower) -> int:
    words = follower.current().words
    assert isinstance(words, TantivyWords)
    return words.searcher.num_segments


async def test_a_restart_finds_the_words_as_tidy_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag_server.views.keeping.KEEP_AFTER_CHANGES", 1)  # a snapshot before they are tidied
    monkeypatch.setattr(follower_module, "TIDY_AFTER_S", 0.0)
    log = library(3)
    with following(log, tmp_path) as follower:
        for n in range(4, 8):
            log.publish(f"d{n}", texts(f"texto {n}"))
            follower.poke()
            assert await follower.wait_for(n, LONG_S)
        async with asyncio.timeout(LONG_S):
            while parts_of(follower) > 1:
                await asyncio.sleep(0.01)
    with following(log, tmp_path) as follower:
        assert await follower.wait_for(7, LONG_S)
        assert parts_of(follower) == 1
