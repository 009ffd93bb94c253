"""One store holds the vectors of one model."""

import apsw

from rag_server.ports import ModelMismatch
from storage.sqlite import Database

_PINNED = "SELECT fingerprint, name, dimensions FROM pinned_model"
_HAS_VERSIONS = "SELECT EXISTS (SELECT 1 FROM version)"
_PIN = "INSERT OR REPLACE INTO pinned_model (singleton, fingerprint, name, dimensions) VALUES (1, ?, ?, ?)"


async def pin_model(database: Database, name: str, fingerprint: str, dimensions: int) -> None:
    """Tie the store to the model; a store that never held anything takes any. Raises ModelMismatch."""

    def work(connection: apsw.Connection) -> None:
        pinned = connection.execute(_PINNED).fetchone()
        if pinned == (fingerprint, name, dimensions):
            return
        same_model = pinned is not None and pinned[0] == fingerprint
        if same_model:
            connection.execute("UPDATE pinned_model SET name = ?", (name,))
        elif pinned is not None and connection.execute(_HAS_VERSIONS).get:
            raise ModelMismatch(
                f"This store was made with the model {pinned[1]} ({pinned[2]} dimensions) and cannot be searched with "
                f"{name} ({dimensions} dimensions): set ACERVO_MODEL to {pinned[1]}, or ingest into a new folder."
            )
        else:
            connection.execute(_PIN, (fingerprint, name, dimensions))

    await database.write(work)
