"""Collections of garbage that calls do not notice."""

import gc

# Python's own: 700, 10, 10. A call makes thousands of objects and nearly no cycles: the counting of references frees
# them, and collections only look through what is in use.
THRESHOLDS = (5_000, 20, 50)


def collect_seldom() -> None:
    """Collect now, and seldom from now on. What stands in memory by now stays: no collection looks through it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
