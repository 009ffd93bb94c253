"""Looks whether what must always hold does hold; one consistent snapshot, none of it changed."""

# ruff: noqa: S608 - statements are put together from this package's constants; values are always bound.

from rag_server.adapters.postgres.clock import DATABASE_TIME
from rag_server.adapters.postgres.integrity_of_text import check_texts
from rag_server.adapters.tables.rows import failure_from_json
from rag_server.domain.invariant import Invariant
from storage.postgres import Connection, PostgresDatabase
from storage.postgres_named import fetch

FAULTS_TOLD = 20
LEASE_GRACE_S = 60.0

# The tables are read without their indexes, which a fault may have damaged: they must not vouch for themselves. It
# may take longer than a request.
_WITHOUT_INDEXES = """
SET LOCAL enable_indexscan TO off; SET LOCAL enable_indexonlyscan TO off; SET LOCAL enable_bitmapscan TO off;
SET LOCAL statement_timeout TO '20min'
"""
_WITH_INDEXES = """
SET LOCAL enable_indexscan TO on; SET LOCAL enable_indexonlyscan TO on; SET LOCAL enable_bitmapscan TO on
"""

_FOUND = "state IN ('SUCCEEDED', 'SUCCEEDED_PARTIALLY')"

_JOBS = "SELECT count(*) FROM job"
_ASKED_TWICE = """
SELECT 'jobs/' || job_id || ' exists ' || count(*) || ' times' FROM job GROUP BY job_id HAVING count(*) > 1
UNION ALL
SELECT 'request id of jobs/' || min(job_id) || ' stands for ' || count(*) || ' jobs' FROM job
WHERE request_id <> '' GROUP BY request_id HAVING count(*) > 1
"""
_PUBLISHED_WITHOUT_CHANGE = f"""
SELECT 'jobs/' || job_id || ' has succeeded without an entry in the change log' FROM job
WHERE kind = 'INGEST' AND {_FOUND}
  AND NOT EXISTS (SELECT 1 FROM change c WHERE c.sequence = job.sequence AND c.kind = 'PUBLISHED'
  AND c.document_id = job.document_id)
"""

_CHANGES = "SELECT count(*), coalesce(min(sequence), 1), coalesce(max(sequence), 0) FROM change"
_PUBLISHED_TWICE = """
SELECT 'version ' || version_id || ' was published ' || count(*) || ' times' FROM change
WHERE kind = 'PUBLISHED' GROUP BY version_id HAVING count(*) > 1
"""
_LOG_AND_DOCUMENTS_DIFFER = """
WITH last AS (
  SELECT DISTINCT ON (document_id) document_id, kind, version_id FROM change ORDER BY document_id, sequence DESC)
SELECT 'documents/' || d.document_id || ' stands at version ' || d.current_version_id || ', the change log at '
  || coalesce(l.kind || ' ' || l.version_id, 'nothing')
FROM document d LEFT JOIN last l ON l.document_id = d.document_id
WHERE l.version_id IS DISTINCT FROM d.current_version_id
UNION ALL
SELECT 'documents/' || l.document_id || ' is PUBLISHED in the change log, and is not there'
FROM last l LEFT JOIN document d ON d.document_id = l.document_id WHERE l.kind = 'PUBLISHED' AND d.document_id IS NULL
"""

_LOG_AND_SEGMENTS_DIFFER = """
SELECT 'segment ' || s.segment_id || ' has no entry in the change log at ' || s.sequence
FROM segment s LEFT JOIN change c ON c.sequence = s.sequence AND c.segment_id = s.segment_id AND c.kind = 'SEGMENT'
WHERE c.sequence IS NULL
UNION ALL
SELECT 'segment ' || c.segment_id || ' is in the change log, and is not there'
FROM change c LEFT JOIN segment s ON s.segment_id = c.segment_id AND s.sequence = c.sequence
WHERE c.kind = 'SEGMENT' AND s.segment_id IS NULL
"""

_HELD = "SELECT count(*) FROM job WHERE state = 'RUNNING'"
_LEASE_RAN_OUT = f"""
SELECT 'the lease of jobs/' || job_id || ' ran out' FROM job
WHERE state = 'RUNNING' AND lease_end < {DATABASE_TIME} - :grace_s::float8
"""
_STAGED = "SELECT count(*) FROM version WHERE state = 'STAGED'"
_STAGED_FOR_NOBODY = """
SELECT 'version ' || version_id || ' is staged by jobs/' || job_id || ', which will not publish it' FROM version
WHERE state = 'STAGED' AND NOT EXISTS (
  SELECT 1 FROM job WHERE job.job_id = version.job_id AND job.state IN ('QUEUED', 'RUNNING', 'DEAD'))
"""

_BADLY_ENDED = "SELECT job_id, failure FROM job WHERE state IN ('FAILED', 'DEAD')"


class PostgresIntegrity:
    """Implements the port Integrity."""

    def __init__(self, database: PostgresDatabase, given_time: float | None = None) -> None:
        """Leases are compared with `given_time`; None: with the database's own clock."""
        self._database = database
        self._lease = {"given_time": given_time, "grace_s": LEASE_GRACE_S}

    async def check(self) -> list[Invariant]:
        async def work(connection: Connection) -> list[Invariant]:
            await connection.execute(_WITHOUT_INDEXES)
            asked, log = await _asked_once(connection), await _log(connection)
            await connection.execute(_WITH_INDEXES)
            texts = await check_texts(connection)
            return [asked, texts, log, await self._leftovers(connection), await _reasons(connection)]

        return await self._database.read(work)

    async def _leftovers(self, connection: Connection) -> Invariant:
        checked = await connection.fetchval(_HELD) + await connection.fetchval(_STAGED)
        faults = await _told(connection, _LEASE_RAN_OUT, self._lease) + await _told(connection, _STAGED_FOR_NOBODY)
        return _invariant("I6", "No lease and no staged version outlives its job.", checked, faults)


async def _asked_once(connection: Connection) -> Invariant:
    faults = await _told(connection, _ASKED_TWICE) + await _told(connection, _PUBLISHED_WITHOUT_CHANGE)
    return _invariant("I1", "Each accepted upload exists exactly once.", await connection.fetchval(_JOBS), faults)


async def _log(connection: Connection) -> Invariant:
    count, first, last = await connection.fetchrow(_CHANGES)
    faults = [] if first == 1 and last == count else [f"{count} changes are numbered {first} to {last}"]
    faults += await _told(connection, _PUBLISHED_TWICE) + await _told(connection, _LOG_AND_DOCUMENTS_DIFFER)
    faults += await _told(connection, _LOG_AND_SEGMENTS_DIFFER)
    title = "The change log is dense, publishes each version once and agrees with the documents."
    return _invariant("I3", title, count, faults)


async def _reasons(connection: Connection) -> Invariant:
    faults = []
    rows = await connection.fetch(_BADLY_ENDED)
    for job_id, failure in rows:
        try:
            told = bool(failure_from_json(failure).sentence.strip())
        except (ValueError, KeyError, TypeError):
            told = False
        if not told:
            faults.append(f"jobs/{job_id} does not say why it ended")
    return _invariant("I10", "Every job that ended badly has a reason and a sentence.", len(rows), faults)


async def _told(connection: Connection, statement: str, values: dict[str, float | None] | None = None) -> list[str]:
    rows = await fetch(connection, f"{statement} LIMIT {FAULTS_TOLD}", values or {})
    return [str(row[0]) for row in rows]


def _invariant(name: str, title: str, checked: int, faults: list[str]) -> Invariant:
    return Invariant(name, title, checked, tuple(faults[:FAULTS_TOLD]))
