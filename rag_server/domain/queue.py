"""The job queue as a whole."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Queue:
    """How it is at a moment."""

    pause_time: float | None  # since when no worker begins a job; None while they do
    queued: int
    running: int
    oldest_age_s: float | None  # of those that wait; None where none does
