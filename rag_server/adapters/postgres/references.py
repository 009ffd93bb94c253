"""Which stored bytes the store still refers to."""

from storage.postgres import Connection, PostgresDatabase

# A job that failed or was cancelled may be tried again for as long as it is kept.
_WANTED = """
SELECT EXISTS (SELECT 1 FROM version WHERE sha256 = $1 AND state IN ('STAGED', 'CURRENT'))
  OR EXISTS (SELECT 1 FROM version WHERE part_of = $1 AND part_of <> '' AND state = 'CURRENT')
  OR EXISTS (SELECT 1 FROM segment WHERE sha256 = $1 AND state = 'CURRENT')
  OR EXISTS (SELECT 1 FROM job WHERE sha256 = $1 AND state NOT IN ('SUCCEEDED', 'SUCCEEDED_PARTIALLY'))
"""


class PostgresReferences:
    """Implements the port References."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    def wanted(self, sha256: str) -> bool:
        async def work(connection: Connection) -> bool:
            return bool(await connection.fetchval(_WANTED, sha256))

        return self._database.read_here(work)
