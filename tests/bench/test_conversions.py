"""Memory stays flat while documents are read and cut."""

import pytest

from bench.conversions import SAMPLES, convert, slopes, theil_sen

COUNT = 60
FLAT_BYTES = 40_000  # per conversion; a leak of one document's text or tree is far more


async def test_conversions_in_a_row_leave_memory_flat() -> None:
    seen = await convert(sorted(SAMPLES.iterdir()), COUNT)
    assert len(seen) == COUNT
    found = slopes(seen)
    assert found.parent < FLAT_BYTES
    assert found.child < FLAT_BYTES


@pytest.mark.parametrize(
    ("values", "slope"), [([1.0, 2.0, 3.0, 4.0], 1.0), ([5.0] * 9, 0.0), ([0.0, 1.0, 2.0, 900.0, 4.0, 5.0], 1.0)]
)
def test_the_slope_is_not_moved_by_an_outlier(values: list[float], slope: float) -> None:
    assert theil_sen(values) == pytest.approx(slope)
