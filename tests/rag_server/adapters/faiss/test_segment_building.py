"""How segments are built."""

from pathlib import Path

import numpy as np
import pytest

from rag_server.adapters.faiss.segment_building import SegmentPlan, build_segment
from rag_server.adapters.faiss.segment_lists import list_count
from rag_server.adapters.faiss.segment_progress import PASSES
from rag_server.adapters.faiss.segment_rows import SegmentRows
from tests.rag_server.adapters.faiss.segment_rows import batches_of, built, go_on, unit_vectors

D = 24


class Stopped(Exception):
    pass


def test_the_same_rows_give_the_same_bytes_however_they_come(tmp_path: Path) -> None:
    vectors = unit_vectors(3_000, D)
    first = built(vectors, tmp_path / "first", batch_rows=100).read_bytes()
    assert built(vectors, tmp_path / "second", batch_rows=3_000).read_bytes() == first


def test_progress_goes_up_to_the_end(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    vectors = unit_vectors(2_500, D)
    vectors[::7] = 0
    built(vectors, tmp_path / "segment", on_progress=lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (PASSES * 2_500, PASSES * 2_500)
    assert len(seen) > 20


def test_more_rows_than_were_expected_are_taken_in(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    plan = SegmentPlan(D, "a-model", 10)
    header = build_segment(
        batches_of(unit_vectors(400, D), 50), plan, tmp_path / "segment", tmp_path / "scratch",
        lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert header.rows == 400
    assert all(done <= total for done, total in seen)
    assert seen[-1] == (PASSES * 400, PASSES * 400)


@pytest.mark.parametrize("at_step", [1, 5, 12, 30])
def test_building_ends_when_progress_raises(at_step: int, tmp_path: Path) -> None:
    steps = 0

    def stop(_done: int, _total: int) -> None:
        nonlocal steps
        steps += 1
        if steps == at_step:
            raise Stopped

    with pytest.raises(Stopped):
        built(unit_vectors(2_500, D), tmp_path / "segment", batch_rows=500, on_progress=stop)
    assert not (tmp_path / "segment.scratch").exists()


def test_the_spooled_vectors_are_removed(tmp_path: Path) -> None:
    built(unit_vectors(100, D), tmp_path / "segment")
    assert [path.name for path in tmp_path.iterdir()] == ["segment"]


def rows(**other: object) -> SegmentRows:
    ids = np.arange(4, dtype=np.int64)
    fields: dict[str, object] = {
        "chunk_ids": ids, "versions": ids, "documents": np.stack([ids, ids]), "vectors": unit_vectors(4, D),
    }  # fmt: skip
    return SegmentRows(**fields | other)  # type: ignore[arg-type] # wrong ones are the point


@pytest.mark.parametrize(
    "wrong",
    [
        rows(vectors=np.full((4, D), np.inf, np.float32)),
        rows(vectors=unit_vectors(4, D + 1)),
        rows(vectors=unit_vectors(3, D)),
        rows(vectors=unit_vectors(4, D).astype(np.float64)),
        rows(versions=np.arange(3, dtype=np.int64)),
        rows(documents=np.zeros((4, 2), np.int64)),
        rows(chunk_ids=np.zeros(4, np.int64)),
        rows(chunk_ids=np.arange(4, dtype=np.int32)),
    ],
    ids=["not finite", "wide", "short", "double", "versions", "documents", "twice", "narrow ids"],
)
def test_rows_that_do_not_fit_together_are_refused(wrong: SegmentRows, tmp_path: Path) -> None:
    plan = SegmentPlan(D, "a-model", 4)
    with pytest.raises(ValueError):  # noqa: PT011 - each says something else
        build_segment([wrong], plan, tmp_path / "segment", tmp_path / "scratch", go_on)


@pytest.mark.parametrize(("count", "lists"), [(0, 0), (1, 1), (10, 10), (65_536, 1_024), (262_144, 2_048)])
def test_lists_grow_with_the_square_root(count: int, lists: int) -> None:
    assert list_count(count) == lists
