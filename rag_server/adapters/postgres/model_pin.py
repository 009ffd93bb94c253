"""One store holds the vectors of one model."""

from rag_server.ports import ModelMismatch
from storage.postgres import Connection, PostgresDatabase

_LOCK = "LOCK TABLE pinned_model IN SHARE ROW EXCLUSIVE MODE"
_PINNED = "SELECT fingerprint, name, dimensions FROM pinned_model"
_HAS_VERSIONS = "SELECT EXISTS (SELECT 1 FROM version)"
_PIN = """
INSERT INTO pinned_model (singleton, fingerprint, name, dimensions) VALUES (1, $1, $2, $3)
ON CONFLICT (singleton) DO UPDATE SET fingerprint = excluded.fingerprint, name = excluded.name,
  dimensions = excluded.dimensions
"""


async def pin_model(database: PostgresDatabase, name: str, fingerprint: str, dimensions: int) -> None:
    """Tie the store to the model; a store that never held anything takes any. Raises ModelMismatch."""

    async def work(connection: Connection) -> None:
        row = await connection.fetchrow(_PINNED)
        if row is not None and tuple(row) == (fingerprint, name, dimensions):
            return
        await connection.execute(_LOCK)  # against another server that begins now, with another model
        row = await connection.fetchrow(_PINNED)
        if row is not None and row[0] == fingerprint:
            await connection.execute("UPDATE pinned_model SET name = $1", name)
        elif row is not None and await connection.fetchval(_HAS_VERSIONS):
            raise ModelMismatch(
                f"This store was made with the model {row[1]} ({row[2]} dimensions) and cannot be searched with "
                f"{name} ({dimensions} dimensions): set ACERVO_MODEL to {row[1]}, or ingest into a new database."
            )
        else:
            await connection.execute(_PIN, fingerprint, name, dimensions)

    await database.write(work)
