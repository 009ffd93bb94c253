"""What both PDF engines give: blocks of lines with their place on the page, or as much of it as the engine knows."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

_PDF_DATE = re.compile(r"(?:D:)?(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d))?([Z+-])?(?:(\d\d)'?(\d\d))?")

_POINTS_PER_INCH = 72
_THICKEST_RULE = 3.0  # points


@dataclass(frozen=True, slots=True)
class Line:
    """A run of text on one baseline. Coordinates grow to the right and downwards, in points."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    size: float = 0.0  # of the font; 0 if the engine does not tell


@dataclass(frozen=True, slots=True)
class PageLayout:
    """The lines of a page in reading order, block by block. `height` 0 means that places are not known."""

    blocks: Sequence[Sequence[Line]]
    height: float = 0.0
    is_damaged: bool = False  # the engine met errors and may have missed text


@dataclass(frozen=True, slots=True)
class Rule:
    """A thin straight line that is drawn on a page, lying or standing; tables are ruled with them."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def is_thin(self) -> bool:
        """Whether it is a line, not a box that is drawn or filled."""
        return min(self.x1 - self.x0, self.y1 - self.y0) <= _THICKEST_RULE

    def edges(self) -> tuple["Rule", "Rule", "Rule", "Rule"]:
        """The four sides of a box."""
        x0, y0, x1, y1 = self.x0, self.y0, self.x1, self.y1
        return Rule(x0, y0, x1, y0), Rule(x0, y1, x1, y1), Rule(x0, y0, x0, y1), Rule(x1, y0, x1, y1)


@dataclass(frozen=True, slots=True)
class OutlineEntry:
    """An entry of the document's own table of contents."""

    level: int  # 1 is the highest
    title: str
    page_number: int


@dataclass(frozen=True, slots=True)
class PdfFacts:
    """What a PDF says about itself."""

    page_count: int
    properties: Mapping[str, str] = field(default_factory=dict)
    outline: Sequence[OutlineEntry] = ()


class PdfDocument(Protocol):
    """An open PDF. Errors are whatever the library raises; a password needed is Refused(ENCRYPTED)."""

    @property
    def facts(self) -> PdfFacts: ...

    def layout(self, page_number: int) -> PageLayout:
        """The lines of one page, counted from 1."""

    def rules(self, page_number: int) -> Sequence[Rule]:
        """The thin lines drawn on one page."""

    def picture(self, page_number: int, dpi: int, max_pixels: int) -> bytes:
        """One page drawn in grey, as PNG; b"" if it is blank."""

    def close(self) -> None:
        """Give the file back."""


def scale_for(width: float, height: float, dpi: int, max_pixels: int) -> float:
    """How much a page of this size in points is enlarged for the resolution, or for as much of it as the limit lets."""
    return min(dpi / _POINTS_PER_INCH, math.sqrt(max_pixels / max(width * height, 1.0)))


def iso_date(pdf_date: str) -> str:
    """`D:20240229101500-03'00'` as `2024-02-29T10:15:00-03:00`; "" if it is no date."""
    match = _PDF_DATE.match(pdf_date)
    if match is None:
        return ""
    year, month, day, hour, minute, second, zone, zone_hour, zone_minute = match.groups()
    date = f"{year}-{month}-{day}"
    if second is None:
        return date
    offset = f"{zone}{zone_hour}:{zone_minute}" if zone_minute else "Z" if zone == "Z" else ""
    return f"{date}T{hour}:{minute}:{second}{offset}"
