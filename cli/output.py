"""Writing to the terminal: JSON lines for programs, tables and clean text for people."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

# Where nobody looks at columns, nothing is cut to fit them.
PIPE_WIDTH: Final = 240
# Characters that change what stands around them: bidirectional marks and overrides.
_UNSEEN = dict.fromkeys([*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF])
_CONTROL = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], " ")


def console() -> Console:
    """The standard output."""
    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False)


def error_console() -> Console:
    """The standard error."""
    return Console(stderr=True, width=None if sys.stderr.isatty() else PIPE_WIDTH, highlight=False)


def print_json(value: Any) -> None:
    """One line of JSON on the standard output, at once."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], empty: str) -> None:
    """A table, or one sentence where there are no rows."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean(cell)) for cell in row))
    console().print(table if table.row_count else empty)


def print_fields(fields: Iterable[tuple[str, str]]) -> None:
    """A name and a value per line; empty values are left out."""
    grid = Table.grid(padding=(0, 2))
    for name, value in fields:
        if value:
            grid.add_row(Text(name, style="dim"), Text(clean(value)))
    console().print(grid)


def clean(text: str) -> str:
    """Text on one line without characters that steer a terminal or turn the direction of writing."""
    return text.translate(_CONTROL).translate(_UNSEEN)


def local_time(stamp: Timestamp) -> str:
    """Local time, ISO, to the second; empty for an unset one."""
    if not (stamp.seconds or stamp.nanos):
        return ""
    return stamp.ToDatetime(tzinfo=UTC).astimezone().isoformat(sep=" ", timespec="seconds")


def counted(number: int, unit: str) -> str:
    """`1 page`, `2 pages`."""
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def size_text(size_bytes: int) -> str:
    """A size for people: `12.3 MB`."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB"):
        if size < 1000:  # noqa: PLR2004 - the step between the units
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
