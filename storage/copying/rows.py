"""Copies rows in the order of their keys, and compares both sides afterwards."""

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from storage.copying.holding import CopyRefused, Mark, Row, Service, Source, Table, Target

BATCH = 1_000  # rows in memory, and in one transaction
DIGEST_BITS = 256

Tell = Callable[[str, int, int], None]  # takes what is done, how many of it, and of how many


@dataclass(frozen=True, slots=True)
class Digest:
    """What a table holds: the sum of its rows' hashes does not depend on their order."""

    rows: int
    sha256_sum: str  # hexadecimal digits


async def matching_tables(source: Source, target: Target, service: Service) -> list[Table]:
    """The tables in the order in which they refer to each other. Raises CopyRefused where the sides differ."""
    here, there = await source.tables(), await target.tables()
    for name, tables in (("source", here), ("target", there)):
        if odd := (set(tables) - service.derived) ^ set(service.tables):
            raise CopyRefused(f"the {name} has other tables than this version copies: {sorted(odd)}")
    for table in service.tables:
        if here[table] != there[table]:
            raise CopyRefused(f"table {table} is not the same in source and target")
    return [here[table] for table in service.tables]


async def state_of(source: Source, tables: Sequence[Table]) -> str:
    """A hash that is another one once the source has been used: rows come, go, or are counted as changed."""
    state = hashlib.sha256()
    for table in tables:
        state.update(f"{table.name} {await source.count(table.name)} ".encode())
        if "revision" in table.columns:
            (changes,) = (await source.fetch(f"SELECT sum(revision) FROM {table.name}"))[0]  # noqa: S608 - ours
            state.update(f"{changes or 0} ".encode())
    return state.hexdigest()


async def copy_rows(source: Source, target: Target, tables: Sequence[Table], mark: Mark, tell: Tell) -> int:
    """Copy what lies behind the mark; returns how many rows that was."""
    names = [table.name for table in tables]
    copied = 0
    for table in tables[names.index(mark.table) if mark.table else 0 :]:
        if mark.table != table.name:
            mark = replace(mark, table=table.name, after=(), done=0)
        total = await source.count(table.name)
        async for rows in _batches(source, table, mark.after):
            mark = replace(mark, after=_key(table, rows[-1]), done=mark.done + len(rows))
            await target.put(table, rows, mark)
            copied += len(rows)
            tell(table.name, mark.done, total)
    await target.go_on_from(await source.serials())
    return copied


@dataclass(frozen=True, slots=True)
class Comparison:
    """What both sides hold."""

    target: dict[str, Digest]  # by table
    faults: list[str]  # what is not the same: rows, and the numbers that are given next


async def compare(source: Source, target: Target, tables: Sequence[Table], tell: Tell) -> Comparison:
    """Read all tables on both sides."""
    faults, digests = [], {}
    for done, table in enumerate(tables, start=1):
        here, there = await digest(source, table), await digest(target, table)
        digests[table.name] = there
        if here != there:
            what = f"{here.rows} rows in the source, {there.rows} in the target"
            faults.append(f"{table.name}: {what}" + (", and they differ" if here.rows == there.rows else ""))
        tell("compared tables", done, len(tables))
    faults += _serials_behind(await source.serials(), await target.serials())
    return Comparison(digests, faults)


async def digest(side: Source, table: Table) -> Digest:
    """Read a whole table."""
    count = total = 0
    async for rows in _batches(side, table, ()):
        count += len(rows)
        total += sum(int.from_bytes(hashlib.sha256(repr(row).encode()).digest()) for row in rows)
    return Digest(count, f"{total % (1 << DIGEST_BITS):064x}")


async def _batches(side: Source, table: Table, after: tuple[int | str, ...]) -> AsyncIterator[list[Row]]:
    while rows := await side.rows(table, after, BATCH):
        yield rows
        after = _key(table, rows[-1])


def _key(table: Table, row: Row) -> tuple[int | str, ...]:
    return tuple(row[table.columns.index(column)] for column in table.key)


def _serials_behind(here: Mapping[str, int], there: Mapping[str, int]) -> list[str]:
    return [
        f"{table}: the source has given numbers up to {last}, the target would go on from {there[table]}"
        for table, last in here.items()
        if there.get(table, last) < last
    ]
