"""Compressed segments: what the store says of them, how an index is divided, and when rows are put into a new one."""

from collections.abc import Sequence
from dataclasses import dataclass

# Of a segment with fewer living rows than this share the others are worth getting rid of.
LIVING_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """A segment that is in use: vectors of a collection in one immutable file."""

    segment_id: int
    collection: str
    sha256: str
    size_bytes: int
    row_count: int


@dataclass(frozen=True, slots=True)
class SegmentLimits:
    """When segments are built (figures in docs/decisions/0017)."""

    # Fewer rows are searched exactly: two milliseconds at 256 dimensions.
    min_rows: int = 65_536
    # Building this many takes about 300 MB and a minute or two of one core; more become further segments.
    max_rows: int = 1_048_576
    # A segment is taken into the new one as long as it is at most so many times what has been gathered.
    absorbed_ratio: int = 2


@dataclass(frozen=True, slots=True)
class LivingRows:
    """A segment, as an index has it."""

    rows: int
    living: int  # of documents that still stand with that version

    @property
    def is_wasteful(self) -> bool:
        """Whether most of it is dead."""
        return self.living < self.rows * LIVING_SHARE


@dataclass(frozen=True, slots=True)
class VectorHolding:
    """The vectors of one collection in an index."""

    exact_rows: int  # that are alive and in no segment
    segments: tuple[LivingRows, ...]
    size_bytes: int  # of memory, that of mapped files among it
    in_database: bool = False  # which decides with each query whether it compares all rows

    @property
    def rows(self) -> int:
        """All that are alive."""
        return self.exact_rows + sum(segment.living for segment in self.segments)


def segments_to_renew(
    waiting_rows: int, segments: Sequence[LivingRows], limits: SegmentLimits | None = None
) -> list[int] | None:
    """Which segments to put into a new one, together with the rows that wait; None where nothing is to be done.

    Those that are mostly dead go in at any time. By this a row is written about three times on the way to a million,
    and a collection has up to three segments below the greatest size.
    """
    limits = limits or SegmentLimits()
    wasteful = [place for place, segment in enumerate(segments) if segment.is_wasteful]
    if waiting_rows < limits.min_rows and not wasteful:
        return None
    gathered, renewed = waiting_rows, []
    for place in sorted(range(len(segments)), key=lambda place: (place not in wasteful, segments[place].living)):
        rows = segments[place].living
        taken_anyway = place in wasteful
        if (not taken_anyway and rows > limits.absorbed_ratio * gathered) or gathered + rows > limits.max_rows:
            break
        gathered += rows
        renewed.append(place)
    return renewed
