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
