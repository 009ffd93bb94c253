from hypothesis import given
from hypothesis import strategies as st

from cli.supervision import (
    LONGEST_DELAY_S,
    MOST_REFUSALS,
    SETTINGS_STATUS,
    STABLE_S,
    Death,
    GiveUp,
    History,
    Restart,
    after_death,
)

KILLED = -9


def delays(*deaths: Death) -> list[float | None]:
    """The delays that follow upon deaths in a row; None is giving up."""
    history, found = History(), []
    for death in deaths:
        history, decision = after_death(history, death)
        found.append(decision.delay_s if isinstance(decision, Restart) else None)
    return found


def death(status: int = KILLED, ran_s: float = 1.0, *, ever_ready: bool = True) -> Death:
    return Death(status, ran_s, ever_ready)


def test_a_program_that_was_stable_is_started_at_once_every_time() -> None:
    assert delays(*[death(ran_s=STABLE_S)] * 8) == [0.0] * 8


def test_one_that_keeps_dying_young_is_started_later_and_later() -> None:
    assert delays(*[death()] * 9) == [0.0, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, LONGEST_DELAY_S, LONGEST_DELAY_S]


def test_a_stable_run_forgives_the_deaths_before_it() -> None:
    assert delays(death(), death(), death(ran_s=60), death()) == [0.0, 0.2, 0.0, 0.0]


def test_settings_that_are_refused_five_times_in_a_row_end_it() -> None:
    assert delays(*[death(2)] * MOST_REFUSALS)[-1] is None
    assert delays(*[death(2)] * 4, death(KILLED), *[death(2)] * 4)[-1] is not None


def test_one_that_never_worked_is_given_up_whatever_its_status() -> None:
    assert delays(*[death(1, ever_ready=False)] * MOST_REFUSALS)[-1] is None


def test_one_that_worked_before_is_never_given_up_for_a_plain_failure() -> None:
    assert None not in delays(*[death(1)] * 100)


@given(st.lists(st.builds(Death, st.integers(-64, -1), st.floats(0, 100), st.booleans()), max_size=100))
def test_who_is_killed_is_always_started_again_within_the_longest_delay(deaths: list[Death]) -> None:
    assert all(delay is not None and 0 <= delay <= LONGEST_DELAY_S for delay in delays(*deaths))


@given(st.builds(History, st.integers(0, 10_000), st.integers(0, 4)), st.integers(0, 255))
def test_giving_up_needs_refusals_or_settings_that_cannot_be_used(history: History, status: int) -> None:
    new, decision = after_death(history, death(status))
    assert isinstance(decision, GiveUp) == (new.refusals >= MOST_REFUSALS or status == SETTINGS_STATUS)
