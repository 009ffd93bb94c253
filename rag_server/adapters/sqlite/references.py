"""Which stored bytes the store still refers to."""

import apsw

from storage.sqlite import Database

# A job that failed or was cancelled may be tried again for as long as it is kept.
_WANTED = """
SELECT EXISTS (SELECT 1 FROM version WHERE sha256 = :sha256 AND state IN ('STAGED', 'CURRENT'))
  OR EXISTS (SELECT 1 FROM version WHERE part_of = :sha256 AND part_of <> '' AND state = 'CURRENT')
  OR EXISTS (SELECT 1 FROM segment WHERE sha256 = :sha256 AND state = 'CURRENT')
  OR EXISTS (SELECT 1 FROM job WHERE sha256 = :sha256 AND state NOT IN ('SUCCEEDED', 'SUCCEEDED_PARTIALLY'))
"""


class SqliteReferences:
    """Implements the port References."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def wanted(self, sha256: str) -> bool:
        def work(connection: apsw.Connection) -> bool:
            return bool(connection.execute(_WANTED, {"sha256": sha256}).get)

        return self._database.read_here(work)
