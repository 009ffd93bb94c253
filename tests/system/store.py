"""What the programs keep on the disk, looked at from outside."""

from pathlib import Path
from typing import Any, Self

import apsw


class Store:
    """Reads the data folder of a running stack; writes nothing."""

    def __init__(self, data: Path) -> None:
        self._blobs = data / "blobs"
        self._rag_server = _open(data / "rag_server.db")
        self._gateway = _open(data / "gateway.db")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._rag_server.close()
        self._gateway.close()

    def blobs(self) -> set[str]:
        """The hashes of all stored files."""
        return {path.name for path in self._blobs.glob("[0-9a-f][0-9a-f]/*")}

    def incoming(self) -> list[Path]:
        """Uploads under way."""
        return list((self._blobs / "incoming").iterdir())

    def jobs(self) -> set[str]:
        """The ids of all jobs of the rag_server."""
        return {job_id for (job_id,) in self._rag_server.execute("SELECT job_id FROM job")}

    def outbox(self) -> set[str]:
        """The ids of all jobs in the gateway's outbox."""
        return {job_id for (job_id,) in self._gateway.execute("SELECT job_id FROM outbox")}

    def everything(self) -> tuple[set[str], set[str], set[str]]:
        """What an upload leaves behind."""
        return self.blobs(), self.jobs(), self.outbox()

    def text_of(self, document: str) -> str:
        """The stored text of the version of a document that stands; citations point into it."""
        statement = """
            SELECT page.text FROM document JOIN page ON page.version_id = document.current_version_id
            WHERE document.document_id = ? ORDER BY page.ordinal
        """
        rows: Any = self._rag_server.execute(statement, (document.rpartition("/")[2],))
        return "".join(text for (text,) in rows)


def _open(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(5_000)
    connection.pragma("wal_autocheckpoint", 0)
    connection.pragma("query_only", True)
    return connection
