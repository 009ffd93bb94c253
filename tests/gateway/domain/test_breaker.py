"""When to stop asking."""

from gateway.domain.breaker import FAILURES_TO_OPEN, Breaker


def test_it_opens_after_failures_in_a_row_and_closes_with_an_answer() -> None:
    breaker = Breaker()
    for _ in range(FAILURES_TO_OPEN):
        assert not breaker.is_open
        breaker = breaker.failed()
    assert breaker.is_open
    assert not breaker.succeeded().is_open


def test_an_answer_between_failures_keeps_it_closed() -> None:
    breaker = Breaker().failed().failed().succeeded().failed().failed()
    assert not breaker.is_open
