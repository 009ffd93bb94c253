"""The condition of a part of the system."""

from dataclasses import dataclass
from enum import StrEnum


class Condition(StrEnum):
    """The names are those of the contract."""

    OK = "OK"
    DEGRADED = "DEGRADED"
    DOWN = "DOWN"


@dataclass(frozen=True, slots=True)
class Part:
    """A part, its condition, and one sentence or a few figures for people."""

    name: str
    condition: Condition
    detail: str


@dataclass(frozen=True, slots=True)
class WorkerState:
    """What a worker process tells of itself."""

    slot: str
    pid: int = 0  # 0 where it has not told yet
    isolation: str = ""  # of the process that reads documents: its layers joined by "+"; empty while it starts
