"""Opens a store only as far as looking at its invariants needs: no model, no nudges, no files."""

from rag_server.domain.invariant import Invariant
from storage.profile import Embedded, Profile


async def examine(profile: Profile) -> list[Invariant]:
    """The invariants of the store itself. Raises StorageUnavailable."""
    if isinstance(profile, Embedded):
        from rag_server.adapters.sqlite.integrity import SqliteIntegrity  # noqa: PLC0415 - each profile has its driver
        from storage.sqlite import Database  # noqa: PLC0415 - as above

        async with Database(profile.folder / "rag_server.db") as database:
            return await SqliteIntegrity(database).check()
    from rag_server.adapters.postgres.integrity import PostgresIntegrity  # noqa: PLC0415 - as above
    from storage.postgres import PostgresDatabase  # noqa: PLC0415 - as above

    async with PostgresDatabase(profile.postgres_url, "rag_server", "acervo copy") as postgres:
        return await PostgresIntegrity(postgres).check()
