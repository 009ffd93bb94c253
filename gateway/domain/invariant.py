"""A statement that must always hold, and what a check of it found."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Invariant:
    """One of I1 to I10; docs/operations.md lists them."""

    id: str
    title: str
    checked: int  # how many things were looked at
    faults: tuple[str, ...] = ()  # with names of resources

    @property
    def ok(self) -> bool:
        """Whether it holds."""
        return not self.faults
