"""Which segments are put into a new one, and when."""

from rag_server.domain.segment import LivingRows, SegmentLimits, segments_to_renew

LIMITS = SegmentLimits()
MIN, MAX = LIMITS.min_rows, LIMITS.max_rows


def whole(*rows: int) -> list[LivingRows]:
    return [LivingRows(each, each) for each in rows]


def test_few_waiting_rows_stay_exact() -> None:
    assert segments_to_renew(MIN - 1, whole(MIN)) is None


def test_the_first_rows_become_a_segment_of_their_own() -> None:
    assert segments_to_renew(MIN, []) == []


def test_small_segments_go_into_the_new_one_and_great_ones_stay() -> None:
    assert segments_to_renew(70_000, whole(900_000, 80_000, 10, 400_000)) == [2, 1]


def test_nothing_grows_past_the_greatest_size() -> None:
    assert segments_to_renew(MAX, whole(10)) == []
    assert segments_to_renew(600_000, whole(600_000)) == []


def test_a_segment_that_is_mostly_dead_is_renewed_though_few_rows_wait() -> None:
    segments = [LivingRows(400_000, 200_000), LivingRows(400_000, 199_999), LivingRows(9, 0)]
    assert segments_to_renew(0, segments) == [2, 1, 0]
    assert segments_to_renew(0, [LivingRows(1_000_000, 500_000), LivingRows(9, 0)]) == [1]


def test_a_million_rows_that_come_bit_by_bit_are_in_few_segments_and_are_seldom_rewritten() -> None:
    segments: list[int] = []
    written = 0
    for _ in range(MAX // MIN):
        renewed = segments_to_renew(MIN, whole(*segments))
        assert renewed is not None
        new = MIN + sum(segments[place] for place in renewed)
        segments = [rows for place, rows in enumerate(segments) if place not in renewed] + [new]
        written += new
        assert len(segments) <= 3
    assert sum(segments) == MAX
    assert written / MAX < 3.5
