import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rag_server.domain.pace import TURN_S, Pace


@given(
    st.floats(1, 1e7),
    st.lists(st.integers(1, 10_000), min_size=1, max_size=50).map(lambda costs: np.array(costs, "i8")),
)
def test_a_share_fits_into_a_turn_unless_it_is_one_piece(
    units_per_s: float, costs: "np.ndarray[tuple[int], np.dtype[np.int64]]"
) -> None:
    share = Pace(units_per_s).share(costs)
    assert 1 <= share <= len(costs)
    assert share == 1 or costs[:share].sum() <= units_per_s * TURN_S
    assert share == len(costs) or costs[: share + 1].sum() > units_per_s * TURN_S


def test_the_pace_follows_what_is_measured() -> None:
    pace = Pace(1_000)
    for _ in range(30):
        pace = pace.after(40, took_s=0.01)
    assert 3_900 < pace.units_per_s <= 4_000


def test_one_lucky_measurement_at_most_doubles_a_turn() -> None:
    assert Pace(1_000).after(1_000_000, took_s=0.0).units_per_s == 2_000
