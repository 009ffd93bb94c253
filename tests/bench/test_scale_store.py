"""The store that the measure of many vectors runs on is always the same."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from bench import scale_store
from bench.scale_store import Passages, batches, fill, number_of, passage_text
from rag_server.adapters.sqlite.changes import SqliteChangeLog
from rag_server.adapters.sqlite.integrity import SqliteIntegrity
from storage.sqlite import Database


def test_the_number_of_a_passage_is_read_from_its_text() -> None:
    assert [number_of(passage_text(number)) for number in (0, 7, 123_456)] == [0, 7, 123_456]


def test_portions_cover_all_rows_once() -> None:
    numbers = [n for first, count in batches(range(5, 9_000)) for n in range(first, first + count)]
    assert numbers == list(range(5, 9_000))


def test_a_filled_store_is_whole_and_has_the_vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale_store, "MADE_UP", 50)
    passages = Passages(None, 3)
    assert len(passages.queries) == len(passages.query_vectors) == 3
    fill(tmp_path, "c", passages, range(110))

    async def look() -> None:
        async with Database(tmp_path / "rag_server.db") as database:
            log = SqliteChangeLog(database)
            versions = log.chunks_of([change.version_id for change in log.changes(0, 99)], 1_000)
            chunks = [chunk for chunks in versions.values() for chunk in chunks]
            assert [number_of(chunk.text) for chunk in chunks] == list(range(110))
            assert (np.stack([chunk.vector for chunk in chunks]) == passages.vectors(0, 110)).all()
            found = await SqliteIntegrity(database).check()
            assert all(invariant.ok for invariant in found), found

    asyncio.run(look())
