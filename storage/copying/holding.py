"""What copying asks of a database, whichever it is."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from serving.errors import InUse, Unusable

Row = tuple[Any, ...]  # of int, float, str, bytes and None; never bool

BOOKKEEPING = frozenset({"alembic_version", "copying"})  # tables that say how it stands, not what is kept


class HoldingInUse(InUse):
    """Another program works with the store: a copy is made of one, and into one, that nobody uses."""


class CopyRefused(Unusable):
    """The copy cannot be made, or not there. The message says why."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its columns, and those of its primary key."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Service:
    """Whose tables are copied."""

    name: str  # of its schema, and of its file
    migrations: Path
    tables: tuple[str, ...]  # each after those that it refers to
    wanted_blobs: str  # a statement that finds their hashes
    derived: frozenset[str] = frozenset()  # tables that servers make from the others, where there are such


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a copy is; kept in the target, in the transaction that adds the rows it speaks of."""

    source: str  # where the rows come from
    state: str  # a hash of what the source held at the beginning
    table: str = ""  # the one under way; those before it are done
    after: tuple[int | str, ...] = ()  # the key of its last row; empty: it has none yet
    done: int = 0  # its rows

    def as_json(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Mark":
        """As it was stored."""
        return cls(**{**stored, "after": tuple(stored["after"])})


class Source(Protocol):
    """The database that is read. It stands still while it is open."""

    async def tables(self) -> dict[str, Table]:
        """All of them, but those of bookkeeping."""

    async def count(self, table: str) -> int:
        """How many rows it has."""

    async def rows(self, table: Table, after: tuple[int | str, ...], limit: int) -> list[Row]:
        """The next rows by their key, with the table's columns in its order."""

    async def fetch(self, statement: str) -> list[Row]:
        """What a statement that both kinds of databases understand finds."""

    async def serials(self) -> dict[str, int]:
        """By table, the last number that was ever given to a row of it."""


class Target(Source, Protocol):
    """The database that is written. Nobody else opens it meanwhile."""

    async def mark(self) -> Mark | None:
        """Of the copy under way; None where there is none."""

    async def begin(self, mark: Mark) -> None:
        """Mark the tables as those of an unfinished copy: no program takes them for a store."""

    async def clear(self, tables: Sequence[Table], mark: Mark) -> None:
        """Forget all rows of an unfinished copy, and begin again."""

    async def put(self, table: Table, rows: Sequence[Row], mark: Mark) -> None:
        """Add rows and say so, in one transaction."""

    async def go_on_from(self, serials: Mapping[str, int]) -> None:
        """Give no number again that these say was given."""

    async def end(self) -> None:
        """Take the mark away, if there is one: from now on it is a store."""
