"""How far the building of a segment is."""

from collections.abc import Callable

OnProgress = Callable[[int, int], None]

# Spooling, learning, putting into lists, encoding: each counts every row once.
PASSES = 4


class BuildingProgress:
    """Counts rows through all passes. What the callback raises ends the building: that is how it is cancelled."""

    def __init__(self, on_progress: OnProgress, expected_rows: int) -> None:
        self._on_progress = on_progress
        self.rows = max(expected_rows, 1)
        self._done = 0

    def count(self, rows: int) -> None:
        """The true number, once all rows have come."""
        self.rows = max(rows, 1)

    def add(self, rows: int) -> None:
        """So many more rows are through one pass; 0 only asks whether to go on."""
        self._done += rows
        total = PASSES * self.rows
        self._on_progress(min(self._done, total), total)
