"""What the programs keep, looked at from outside."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import apsw

TEXT_OF = """
    SELECT page.text FROM {schema}document AS document
    JOIN {schema}page AS page ON page.version_id = document.current_version_id
    WHERE document.document_id = '{document}' ORDER BY page.ordinal
"""


class Store(ABC):
    """Reads what a running stack has stored; writes nothing."""

    def __init__(self, data: Path) -> None:
        self._blobs = data / "blobs"

    def blobs(self) -> set[str]:
        """The hashes of all stored files."""
        return {path.name for path in self._blobs.glob("[0-9a-f][0-9a-f]/*")}

    def incoming(self) -> list[Path]:
        """Uploads under way."""
        return list((self._blobs / "incoming").iterdir())

    def everything(self) -> tuple[set[str], set[str], set[str]]:
        """What an upload leaves behind."""
        return self.blobs(), self.jobs(), self.outbox()

    @abstractmethod
    def jobs(self) -> set[str]:
        """The ids of all jobs of the rag_server."""

    @abstractmethod
    def outbox(self) -> set[str]:
        """The ids of all jobs in the gateway's outbox."""

    @abstractmethod
    def text_of(self, document: str) -> str:
        """The stored text of the version of a document that stands; citations point into it."""


class EmbeddedStore(Store):
    """The data folder of a running stack."""

    def __init__(self, data: Path) -> None:
        super().__init__(data)
        self._rag_server = _open(data / "rag_server.db")
        self._gateway = _open(data / "gateway.db")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._rag_server.close()
        self._gateway.close()

    def jobs(self) -> set[str]:
        return {job_id for (job_id,) in self._rag_server.execute("SELECT job_id FROM job")}

    def outbox(self) -> set[str]:
        return {job_id for (job_id,) in self._gateway.execute("SELECT job_id FROM outbox")}

    def text_of(self, document: str) -> str:
        statement = TEXT_OF.format(schema="", document=document.rpartition("/")[2])
        rows: Any = self._rag_server.execute(statement)
        return "".join(text for (text,) in rows)


class ProductionStore(Store):
    """A database, and the folder with the files. `ask` runs a statement and gives what psql prints."""

    def __init__(self, data: Path, ask: Callable[[str], str]) -> None:
        super().__init__(data)
        self._ask = ask

    def jobs(self) -> set[str]:
        return set(self._ask("SELECT job_id FROM rag_server.job").split())

    def outbox(self) -> set[str]:
        return set(self._ask("SELECT job_id FROM gateway.outbox").split())

    def text_of(self, document: str) -> str:
        rows = TEXT_OF.format(schema="rag_server.", document=document.rpartition("/")[2])
        told = self._ask(f"SELECT coalesce(json_agg(text), '[]') FROM ({rows}) AS pages")  # noqa: S608 - ours
        return "".join(json.loads(told))


def _open(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(5_000)
    connection.pragma("wal_autocheckpoint", 0)
    connection.pragma("query_only", True)
    return connection
