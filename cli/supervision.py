"""What to do when a program has died: start it again, later if it keeps dying, and when to give up."""

from dataclasses import dataclass

STABLE_S = 5.0  # who ran this long did not die of being started
FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 10.0
MOST_REFUSALS = 5
# EX_CONFIG of sysexits: by this a program says that its settings cannot be used.
SETTINGS_STATUS = 78
# What it needs is in use, by a process that may be about to end.
IN_USE_STATUS = 2


@dataclass(frozen=True, slots=True)
class History:
    """How a program has fared lately."""

    quick_deaths: int = 0  # in a row, each within STABLE_S of its start
    refusals: int = 0  # in a row


@dataclass(frozen=True, slots=True)
class Death:
    """The end of one run of a program that was not asked to end."""

    status: int  # of its exit; minus the signal's number where one killed it
    ran_s: float
    ever_ready: bool  # in this or an earlier run under the same launcher


@dataclass(frozen=True, slots=True)
class Restart:
    """Start it again after a delay; 0 is at once."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """It will not start: stop everything and say why."""


def after_death(history: History, death: Death) -> tuple[History, Restart | GiveUp]:
    """The history with this death in it, and what to do."""
    quick_deaths = history.quick_deaths + 1 if death.ran_s < STABLE_S else 0
    refusals = history.refusals + 1 if _is_refusal(death) else 0
    new = History(quick_deaths, refusals)
    if refusals >= MOST_REFUSALS or death.status == SETTINGS_STATUS:
        return new, GiveUp()
    if quick_deaths <= 1:
        return new, Restart(0.0)
    return new, Restart(min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(quick_deaths - 2, 16)))


def _is_refusal(death: Death) -> bool:
    # A program that has worked before is worth starting for as long as it takes: its disk may be full for an hour.
    # One that never has, or whose settings are wrong, will not get better by itself. A signal is nobody's refusal.
    return death.status == IN_USE_STATUS or (death.status > 0 and not death.ever_ready)
