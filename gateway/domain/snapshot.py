"""A job at one moment, as far as following it needs to know."""

from dataclasses import dataclass
from typing import Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Snapshot(Generic[T_co]):
    """`content` is what clients are shown."""

    revision: int
    ended: bool
    content: T_co
