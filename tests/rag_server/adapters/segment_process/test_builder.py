"""A child builds the segment, tells how far it is, and leaves nothing where it is stopped."""

import asyncio
import os
from pathlib import Path

import numpy as np
import psutil
import pytest

from rag_server.adapters.faiss.block import document_key
from rag_server.adapters.faiss.segment import open_segment
from rag_server.adapters.segment_process.builder import SegmentProcesses
from rag_server.segment import NICE
from rag_server.segment_ports import BuildFailed, VectorRows
from tests.rag_server.adapters.faiss.segment_rows import unit_vectors

D = 16


def rows(first: int, count: int) -> VectorRows:
    ids = np.arange(first, first + count)
    return VectorRows(ids, ids * 2, [f"d{n // 10}" for n in ids.tolist()], unit_vectors(count, D, first))


def child() -> psutil.Process:
    return next(one for one in psutil.Process().children() if "rag_server.segment" in one.cmdline())


async def test_rows_become_a_file_and_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    build = await SegmentProcesses(D, "m").begin(tmp_path / "s", 900, lambda *each: told.append(each))
    sent = [rows(1, 500), rows(501, 400)]
    for each in sent:
        await build.add(each)
    assert await build.finish() == 900
    await build.end()
    assert [path.name for path in tmp_path.iterdir()] == ["s"]
    segment = open_segment(tmp_path / "s")
    for each in sent:
        places = segment.rows_of(each.chunk_ids)
        assert segment.versions[places].tolist() == each.version_ids.tolist()
        assert segment.documents[:, places].T.tolist() == [list(document_key(one)) for one in each.document_ids]
        np.testing.assert_allclose(segment.vectors_of(places), each.vectors, atol=0.02)
    assert told
    assert all(0 <= done <= total for done, total in told)


async def test_a_child_that_is_ended_early_leaves_no_rows_behind(tmp_path: Path) -> None:
    build = await SegmentProcesses(D, "m").begin(tmp_path / "s", 900, lambda *_: None)
    await build.add(rows(1, 500))
    async with asyncio.timeout(20):
        while not (tmp_path / "s.rows").exists():
            await asyncio.sleep(0.01)
    process = child()
    assert process.nice() == min(19, os.getpriority(os.PRIO_PROCESS, 0) + NICE)
    build.pause()
    await build.end()
    assert not process.is_running()
    assert list(tmp_path.iterdir()) == []


async def test_rows_that_do_not_fit_end_the_build(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    build = await SegmentProcesses(D + 1, "m").begin(tmp_path / "s", 5, lambda *_: None)
    await build.add(rows(1, 5))
    with pytest.raises(BuildFailed):
        await build.finish()
    await build.end()
    assert "vectors are" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []
