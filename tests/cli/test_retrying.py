import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.failure import Failure
from cli.retrying import FIRST_DELAY_S, LONGEST_DELAY_S, Patience, Stopped, delay_s, persist

PASSING = Failure("away", passing=True)


@given(st.integers(1, 40), st.floats(0, 1))
def test_delays_grow_and_stay_within_their_bounds(failures: int, chance: float) -> None:
    assert FIRST_DELAY_S / 2 <= delay_s(failures, chance) <= LONGEST_DELAY_S
    assert delay_s(failures, chance) <= delay_s(failures + 1, chance)


def test_a_failure_that_does_not_pass_is_raised_at_once() -> None:
    with pytest.raises(Failure, match="for good"):
        Patience(threading.Event()).bear(Failure("for good"))


def test_patience_ends_after_its_limit_of_failures_in_a_row() -> None:
    now_s = [0.0]
    patience = Patience(threading.Event(), limit_s=10, clock=lambda: now_s[0])
    patience.bear(PASSING)
    now_s[0] = 10
    with pytest.raises(Failure, match="away"):
        patience.bear(PASSING)


def test_something_that_works_renews_patience() -> None:
    now_s = [0.0]
    patience = Patience(threading.Event(), limit_s=10, clock=lambda: now_s[0])
    patience.bear(PASSING)
    patience.renew()
    now_s[0] = 50
    patience.bear(PASSING)


def test_a_stop_ends_the_waiting() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        Patience(stop).bear(PASSING)


def test_persisting_returns_what_the_first_good_attempt_gave() -> None:
    attempts = iter([PASSING, PASSING, None])

    def attempt() -> str:
        if (failure := next(attempts)) is not None:
            raise failure
        return "done"

    assert persist(attempt, Patience(threading.Event())) == "done"
