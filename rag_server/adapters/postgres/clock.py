"""Whose clock leases follow: the database's, which all machines share.

The ports give the caller's time, which says what is told of a job (when it began, when it ended). Whether a lease ran
out, and whether a job is due again, is asked of the database.
"""

from collections.abc import Callable

# A moment that tests may set; everywhere else it is NULL, and the database's own time counts.
DATABASE_TIME = "coalesce(:given_time::float8, extract(epoch FROM clock_timestamp())::float8)"

Clock = Callable[[float], float | None]


def by_the_database(_now: float) -> None:
    """Pay no regard to the caller's clock."""


def by_the_caller(now: float) -> float:
    """Believe the caller, who is alone and has made its time up."""
    return now
