"""Searching a compressed segment, against brute force."""

import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rag_server.adapters.faiss import segment as segment_module
from rag_server.adapters.faiss.segment import Segment, open_segment
from tests.rag_server.adapters.faiss.segment_rows import (
    FIRST_CHUNK_ID,
    FIRST_VERSION,
    bits,
    built,
    opened,
    unit_vectors,
)

D = 32
ROWS = 20_000
QUERIES = unit_vectors(50, D, seed=7)


@pytest.fixture(scope="module")
def vectors() -> NDArray[np.float32]:
    vectors = unit_vectors(ROWS, D)
    vectors[::101] = 0
    return vectors


@pytest.fixture(scope="module")
def segment(vectors: NDArray[np.float32], tmp_path_factory: pytest.TempPathFactory) -> Segment:
    return opened(vectors, tmp_path_factory.mktemp("segment"))


@pytest.fixture(scope="module")
def decoded(segment: Segment) -> NDArray[np.float32]:
    return segment.vectors_of(np.arange(ROWS))


def best(scores: NDArray[np.float32], limit: int) -> set[int]:
    return set(np.argsort(-scores, kind="stable")[:limit].tolist())


def test_of_ten_nearest_at_least_95_of_100_are_found(segment: Segment, vectors: NDArray[np.float32]) -> None:
    found = 0
    for query, (rows, _) in zip(QUERIES, segment.nearest(QUERIES, 10), strict=True):
        nearest = best(vectors @ query, 10)
        found += len(nearest & set((segment.chunk_ids[rows] - FIRST_CHUNK_ID).tolist()))
    assert found >= 0.95 * 10 * len(QUERIES)


def test_hits_come_best_first_with_their_inner_products(segment: Segment, decoded: NDArray[np.float32]) -> None:
    ((rows, scores),) = segment.nearest(QUERIES[:1], 30)
    assert rows.shape == (30,)
    assert (np.diff(scores) <= 0).all()
    np.testing.assert_allclose(scores, decoded[rows] @ QUERIES[0], atol=1e-5)


def test_decoded_vectors_are_near_to_those_that_went_in(
    segment: Segment, decoded: NDArray[np.float32], vectors: NDArray[np.float32]
) -> None:
    sources = vectors[segment.chunk_ids - FIRST_CHUNK_ID]
    # A step of the eight bits is about 1/200 of what is left after the centroid.
    np.testing.assert_allclose(decoded, sources, atol=0.05)
    assert np.abs(decoded - sources).mean() < 2e-3


# On both sides of where rows are decoded one by one, and of where all lists are looked into.
@pytest.mark.parametrize("allowed_count", [1, 7, 300, 2_000, 2_001, 5_000, 9_000])
@pytest.mark.parametrize("limit", [10, 400])
def test_a_filter_finds_just_the_nearest_of_what_it_allows(
    segment: Segment, decoded: NDArray[np.float32], allowed_count: int, limit: int
) -> None:
    candidates = np.flatnonzero(~segment.blank)
    allowed = np.zeros(ROWS, np.bool_)
    allowed[np.random.default_rng(3).choice(candidates, allowed_count, replace=False)] = True
    for query, (rows, _) in zip(QUERIES[:5], segment.nearest(QUERIES[:5], limit, bits(allowed)), strict=True):
        assert set(rows.tolist()) == best(np.where(allowed, decoded @ query, -2), min(limit, allowed_count))


def test_a_filter_far_from_the_query_still_finds_the_nearest_that_it_allows(
    segment: Segment, decoded: NDArray[np.float32]
) -> None:
    query = QUERIES[0]
    similarities = np.where(segment.blank, 2, decoded @ query)
    allowed = similarities < np.quantile(similarities, 0.2)
    ((rows, _),) = segment.nearest(query[np.newaxis], 10, bits(allowed))
    assert set(rows.tolist()) == best(np.where(allowed, similarities, -2), 10)


def test_a_deleted_row_is_not_found_and_the_next_comes_up(segment: Segment) -> None:
    ((before, _),) = segment.nearest(QUERIES[:1], 11)
    alive = np.ones(ROWS, np.bool_)
    alive[before[0]] = False
    ((after, _),) = segment.nearest(QUERIES[:1], 10, bits(alive))
    assert after.tolist() == before[1:].tolist()


def test_zero_rows_are_there_but_never_found(segment: Segment, vectors: NDArray[np.float32]) -> None:
    blank_ids = FIRST_CHUNK_ID + np.flatnonzero(~vectors.any(axis=1))
    assert sorted(segment.chunk_ids[segment.blank].tolist()) == blank_ids.tolist()
    only_blank = bits(segment.blank)
    ((rows, _),) = segment.nearest(QUERIES[:1], 10, only_blank)
    assert not rows.size
    ((rows, _),) = segment.nearest(QUERIES[:1], ROWS, bits(np.ones(ROWS, np.bool_)))
    assert len(rows) == ROWS - len(blank_ids)
    assert not segment.vectors_of(np.flatnonzero(segment.blank)).any()


def test_nothing_allowed_finds_nothing(segment: Segment) -> None:
    assert [len(rows) for rows, _ in segment.nearest(QUERIES[:3], 10, bits(np.zeros(ROWS, np.bool_)))] == [0, 0, 0]


def test_each_row_keeps_what_belongs_to_it(segment: Segment) -> None:
    numbers = segment.chunk_ids - FIRST_CHUNK_ID
    assert sorted(numbers.tolist()) == list(range(ROWS))
    np.testing.assert_array_equal(segment.versions, FIRST_VERSION + numbers // 4)
    np.testing.assert_array_equal(segment.documents, np.stack([segment.versions, -segment.versions]))


def test_rows_are_known_by_chunk(segment: Segment) -> None:
    chunk_ids = np.array([FIRST_CHUNK_ID + 5, 3, FIRST_CHUNK_ID, FIRST_CHUNK_ID + ROWS, -1])
    rows = segment.rows_of(chunk_ids)
    assert segment.chunk_ids[rows[[0, 2]]].tolist() == chunk_ids[[0, 2]].tolist()
    assert rows[[1, 3, 4]].tolist() == [-1, -1, -1]


def test_a_row_that_is_not_there_has_no_vector(segment: Segment) -> None:
    for row in (-1, ROWS):
        with pytest.raises(IndexError):
            segment.vectors_of(np.array([0, row]))


@pytest.mark.parametrize("dimensions", [3, 20, 250])
def test_any_number_of_dimensions_will_do(dimensions: int, tmp_path: Path) -> None:
    vectors = unit_vectors(500, dimensions)
    segment = opened(vectors, tmp_path)
    for number in (0, 123, 499):
        ((rows, _),) = segment.nearest(segment.vectors_of(segment.rows_of(np.array([FIRST_CHUNK_ID + number]))), 1)
        np.testing.assert_allclose(segment.vectors_of(rows)[0], vectors[number], atol=0.05)


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_a_segment_of_few_rows_finds_them_all(count: int, tmp_path: Path) -> None:
    vectors = unit_vectors(count, D)
    segment = opened(vectors, tmp_path)
    assert segment.row_count == count
    ((rows, _),) = segment.nearest(QUERIES[:1], 10)
    assert sorted(rows.tolist()) == list(range(count))
    assert segment.rows_of(np.array([1])).tolist() == [-1]


def test_a_segment_of_zero_vectors_finds_nothing(tmp_path: Path) -> None:
    segment = opened(np.zeros((9, D), np.float32), tmp_path)
    assert segment.blank.all()
    assert [len(rows) for rows, _ in segment.nearest(QUERIES[:1], 10, bits(np.ones(9, np.bool_)))] == [0]
    assert not segment.vectors_of(np.arange(9)).any()


def test_equal_vectors_are_all_found(tmp_path: Path) -> None:
    segment = opened(np.repeat(unit_vectors(1, D), 300, axis=0), tmp_path)
    ((rows, scores),) = segment.nearest(unit_vectors(1, D), 300)
    assert sorted(rows.tolist()) == list(range(300))
    np.testing.assert_allclose(scores, 1.0, atol=1e-3)


@pytest.mark.parametrize(
    ("query", "allowed"),
    [
        (np.ones((1, D + 1), np.float32), None),
        (np.ones(D, np.float32), None),
        (np.full((1, D), np.nan, np.float32), None),
        (QUERIES[:1], np.ones(ROWS // 8 - 1, np.uint8)),
        (QUERIES[:1], np.ones(ROWS // 8, np.bool_)),
        (QUERIES[:1], np.ones(ROWS // 4, np.uint8)[::2]),
    ],
)
def test_what_faiss_would_read_past_is_refused(
    segment: Segment, query: NDArray[np.float32], allowed: NDArray[np.uint8] | None
) -> None:
    with pytest.raises(ValueError, match="not "):
        segment.nearest(query, 10, allowed)


def test_more_lists_are_looked_into_the_fewer_rows_count(
    segment: Segment, monkeypatch: pytest.MonkeyPatch, decoded: NDArray[np.float32]
) -> None:
    monkeypatch.setattr(segment_module, "PROBED_LISTS", 4)
    monkeypatch.setattr(segment_module, "ROWS_PER_HIT", 0)
    allowed = np.zeros(ROWS, np.bool_)
    allowed[::40] = True  # 4 of 512 lists would have two or three of them
    monkeypatch.setattr(segment_module, "DECODED_ROWS", 0)
    found = 0
    for query, (rows, _) in zip(QUERIES, segment.nearest(QUERIES, 10, bits(allowed)), strict=True):
        found += len(best(np.where(allowed & ~segment.blank, decoded @ query, -2), 10) & set(rows.tolist()))
    assert found >= 0.8 * 10 * len(QUERIES)


def test_threads_search_at_once_and_find_the_same(segment: Segment) -> None:
    allowed = bits(np.arange(ROWS) % 2 == 0)
    alone = [rows.tolist() for rows, _ in segment.nearest(QUERIES, 10, allowed)]
    found: dict[int, list[list[int]]] = {}

    def search(thread: int) -> None:
        found[thread] = [segment.nearest(query[np.newaxis], 10, allowed)[0][0].tolist() for query in QUERIES]

    threads = [threading.Thread(target=search, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[thread] for thread in range(4)] == [alone] * 4


def test_opening_maps_and_copies_little(tmp_path: Path) -> None:
    path = built(unit_vectors(8_000, 256), tmp_path / "segment")
    open_segment(path)  # what faiss needs once
    before = _anonymous_bytes()
    segments = [open_segment(path) for _ in range(20)]
    for segment in segments:
        segment.nearest(unit_vectors(1, 256), 10)
        for array in (segment.chunk_ids, segment.versions, segment.documents):
            assert np.shares_memory(array, segment.file.mapped)
            assert not array.flags.writeable
    # The centroids are copied: a fifth of a segment as small as this.
    assert _anonymous_bytes() - before < sum(segment.size_bytes for segment in segments) / 2


def test_a_segment_is_about_a_quarter_of_its_vectors(tmp_path: Path) -> None:
    segment = opened(unit_vectors(8_000, 256), tmp_path)
    ids = 8_000 * (8 + 8 + 8 + 16 + 4 + 4)
    centroids = segment.file.header.lists * 256 * 4
    assert segment.size_bytes < 8_000 * 256 + ids + centroids + 10_000


def _anonymous_bytes() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("RssAnon:"))
    return int(line.split()[1]) * 1024
