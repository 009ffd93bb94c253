"""What `acervo copy` runs for each service: reads from its standard input what to copy, and tells lines of JSON."""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from serving.errors import Unusable
from storage.copying.blobs import copy_blobs
from storage.copying.holding import CopyRefused, Mark, Service, Source, Table, Target
from storage.copying.rows import Tell, compare, copy_rows, matching_tables, state_of
from storage.copying.sides import Side
from storage.profile import Profile, read_profile
from storage.unavailable import StorageUnavailable

TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits
DIFFERS = 1
AFRESH = "start over with --afresh"


class Found(Protocol):
    """What a check of something that must always hold has found."""

    @property
    def id(self) -> str: ...
    @property
    def checked(self) -> int: ...
    @property
    def faults(self) -> tuple[str, ...]: ...


Examine = Callable[[Profile], Awaitable[Sequence[Found]]]


@dataclass(frozen=True, slots=True)
class Copy:
    """One service's part of a store, on its way to another."""

    source: Side
    target: Side
    examine: Examine
    tell: Tell
    afresh: bool  # what an unfinished copy has so far is dropped

    async def make(self) -> dict[str, Any]:
        """Copy, compare, examine; only what is the same on both sides becomes a store."""
        if self.source.place == self.target.place:
            raise CopyRefused("source and target are the same")
        async with self.source.as_source() as source:
            await _prepare(self.target)
            async with self.target.as_target() as target:
                told = await self._copy(source, target)
        invariants = await self._examined()
        told["invariants"] = {found.id: {"checked": found.checked, "ok": not found.faults} for found in invariants}
        told["faults"] += [f"{found.id}: {fault}" for found in invariants for fault in found.faults]
        if not told["faults"]:
            await self._finish()
        return told

    async def _finish(self) -> None:
        """Make a store of the copy, if the source is still what was copied. Raises CopyRefused, HoldingInUse."""
        async with self.source.as_source() as source, self.target.as_target() as target:
            tables = await matching_tables(source, target, self.source.service)
            mark = await target.mark()
            if mark is not None and mark.state != await state_of(source, tables):
                raise CopyRefused(f"the source was used while it was copied: {AFRESH}")
            await target.end()  # nothing, where the copy was finished before

    async def _copy(self, source: Source, target: Target) -> dict[str, Any]:
        tables = await matching_tables(source, target, self.source.service)
        mark = await self._begun(source, target, tables)
        resumed = mark is None or bool(mark.table)
        copied = 0 if mark is None else await copy_rows(source, target, tables, mark, self.tell)
        # The files after the rows that name them: until all is there, nobody uses either.
        blobs = await self._copy_blobs(source)
        compared = await compare(source, target, tables, self.tell)
        held = {
            "rows": {name: digest.rows for name, digest in compared.target.items()},
            "sha256_sums": {name: digest.sha256_sum for name, digest in compared.target.items()},
            "files": blobs.as_json(),
        }
        return {"resumed": resumed, "copied_rows": copied, **held, "faults": blobs.faults + compared.faults}

    async def _begun(self, source: Source, target: Target, tables: Sequence[Table]) -> Mark | None:
        """The mark of this copy, which may be under way; None where it is finished. Raises CopyRefused."""
        wanted = Mark(self.source.place, await state_of(source, tables))
        mark = await target.mark()
        if mark is None:
            used = [table.name for table in tables if await target.count(table.name)]
            if used and (await compare(source, target, tables, self.tell)).faults:
                raise CopyRefused(f"the target is not empty (it has rows in {used[0]}): copy into a new one")
            if used:
                return None
            await target.begin(wanted)
            return wanted
        if self.afresh:
            await target.clear(tables, wanted)
            return wanted
        if mark.source != wanted.source:
            raise CopyRefused(f"the target holds an unfinished copy of {mark.source}: copy that one, or {AFRESH}")
        if mark.state != wanted.state:
            raise CopyRefused(f"the source was used since its copy was begun: {AFRESH}")
        return mark

    async def _copy_blobs(self, source: Source) -> Any:
        wanted = sorted(sha256 for (sha256,) in await source.fetch(self.source.service.wanted_blobs))

        def work() -> Any:
            with (
                tempfile.TemporaryDirectory(prefix="acervo-copy-") as near,
                self.source.blobs(Path(near) / "source") as here,
                self.target.blobs(Path(near) / "target") as there,
            ):
                return copy_blobs(here, there, wanted, self.tell)

        return await asyncio.to_thread(work)

    async def _examined(self) -> list[Found]:
        """Of the target; what did not hold in the source, either, is no fault of the copy."""
        before = {found.id for found in await self.examine(self.source.profile) if found.faults}
        return [found for found in await self.examine(self.target.profile) if found.id not in before]


def main(service: Service, examine: Examine) -> int:
    """Copy what the line on the standard input says; returns the exit status."""
    begun_s = time.monotonic()
    asked = json.loads(sys.stdin.readline())
    try:
        source, target = (Side(_profile(**asked[side]), service) for side in ("from", "to"))
        told = asyncio.run(Copy(source, target, examine, _tell, asked["afresh"]).make())
    except (Unusable, StorageUnavailable, OSError) as error:
        sys.stderr.write(f"acervo copy: {service.name}: {error}\n")
        return error.exit_status if isinstance(error, Unusable) else TRY_AGAIN
    _write({"service": service.name, **told, "seconds": round(time.monotonic() - begun_s, 1)})
    return DIFFERS if told["faults"] else 0


async def _prepare(target: Side) -> None:
    """Make the tables, unless a copy has begun there."""
    if await target.exists():
        async with target.as_target() as holding:
            if await holding.mark() is not None:
                return
    await target.migrate()


def _profile(store: str, blobs: str) -> Profile:
    return read_profile(store, "redis://not-used" if "://" in store else "", blobs)


def _tell(what: str, done: int, total: int) -> None:
    _write({"what": what, "done": done, "total": total})


def _write(told: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
