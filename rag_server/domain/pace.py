"""How much work fits into one turn of a thread that several share."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TURN_S = 0.04
# Upwards with care: one lucky measurement must not make a long turn.
MOST_GROWTH = 2.0
LEAST_S = 1e-4  # below, the clock says little


@dataclass(frozen=True, slots=True)
class Pace:
    """The speed measured lately; a unit is whatever the caller counts."""

    units_per_s: float = 500.0  # slower than any model here

    def share(self, costs: NDArray[np.int64]) -> int:
        """How many of the next pieces make a turn; one at the least. `costs` (n,) is theirs in units, n > 0."""
        fitting = np.searchsorted(np.cumsum(costs), self.units_per_s * TURN_S, side="right")
        return max(1, int(fitting))

    def after(self, units: int, took_s: float) -> "Pace":
        """The pace once a turn has been measured."""
        measured = units / max(took_s, LEAST_S)
        return Pace(min((self.units_per_s + measured) / 2, self.units_per_s * MOST_GROWTH))
