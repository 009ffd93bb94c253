"""Opens the two sides of a copy, as their addresses say."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from storage.copying.blobs import Blobs
from storage.copying.holding import CopyRefused, Service, Source, Target
from storage.profile import Embedded, Profile
from storage.revisions import BEFORE_THE_FIRST, revisions


@dataclass(frozen=True, slots=True)
class Side:
    """A store, of which one service's part is copied."""

    profile: Profile
    service: Service

    @property
    def place(self) -> str:
        """What it is called, without a password."""
        if isinstance(self.profile, Embedded):
            return str(self.profile.folder)
        parts = urlsplit(self.profile.postgres_url)
        return f"{parts.hostname}:{parts.port or 5432}{parts.path}"

    @asynccontextmanager
    async def as_source(self) -> AsyncIterator[Source]:
        """To read from. Raises HoldingInUse, CopyRefused, StorageUnavailable."""
        async with self._opened(to_write=False) as holding:
            (revision,) = (await holding.fetch("SELECT version_num FROM alembic_version"))[0]
            if revision != revisions(self.service.migrations)[-1]:
                raise CopyRefused(f"the tables of the source are at {revision}: run `acervo migrate` on it first")
            yield holding

    @asynccontextmanager
    async def as_target(self) -> AsyncIterator[Target]:
        """To write to. Raises HoldingInUse, CopyRefused, StorageUnavailable."""
        async with self._opened(to_write=True) as holding:
            yield holding

    async def migrate(self, *, down: bool = False) -> None:
        """Make the tables, or drop them. Raises NewerDatabase, RefusedByDatabase, StorageUnavailable."""
        revision = BEFORE_THE_FIRST if down else revisions(self.service.migrations)[-1]
        if isinstance(self.profile, Embedded):
            from storage import migrations  # noqa: PLC0415 - each profile loads its own driver

            await asyncio.to_thread(self.profile.folder.mkdir, parents=True, exist_ok=True, mode=0o700)
            migrations.migrate(self._file, self.service.migrations, revision)
        else:
            from storage import postgres_migrations  # noqa: PLC0415 - as above

            url = self.profile.postgres_url
            await postgres_migrations.migrate(url, self.service.name, self.service.migrations, revision)

    async def exists(self) -> bool:
        """Whether there are tables that could hold something."""
        if isinstance(self.profile, Embedded):
            return await asyncio.to_thread(self._file.exists)
        async with self._opened(to_write=False) as holding:
            return bool(await holding.tables())

    @contextmanager
    def blobs(self, near: Path) -> Iterator[Blobs]:
        """Its files."""
        from storage.open_blobs import open_blobs  # noqa: PLC0415 - a bucket's driver takes its time

        place = str(self.profile.folder / "blobs") if isinstance(self.profile, Embedded) else self.profile.blobs_url
        with open_blobs(place, near) as blobs:
            yield blobs

    @property
    def _file(self) -> Path:
        assert isinstance(self.profile, Embedded)  # noqa: S101 - asked for folders only
        return self.profile.folder / f"{self.service.name}.db"

    @asynccontextmanager
    async def _opened(self, *, to_write: bool) -> AsyncIterator[Target]:
        if isinstance(self.profile, Embedded):
            from storage.copying.sqlite import held_alone  # noqa: PLC0415 - each profile loads its own driver

            with ExitStack() as stack:
                yield stack.enter_context(held_alone(self._file))
        else:
            from storage.copying.postgres import Schema, held_still, held_to_write  # noqa: PLC0415 - as above

            schema = Schema(self.profile.postgres_url, self.service.name)
            async with (held_to_write if to_write else held_still)(schema) as holding:
                yield holding
