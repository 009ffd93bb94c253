"""Looks whether what must always hold does hold; one consistent snapshot, none of it changed."""

# ruff: noqa: S608 - statements are put together from this package's constants; values are always bound.

import time
from collections.abc import Callable, Iterator

import apsw

from rag_server.adapters.sqlite.integrity_of_text import check_texts
from rag_server.adapters.tables.rows import failure_from_json
from rag_server.domain.invariant import Invariant
from storage.sqlite import Database

FAULTS_TOLD = 20
LEASE_GRACE_S = 60.0

_FOUND = "state IN ('SUCCEEDED', 'SUCCEEDED_PARTIALLY')"

# The tables are read without their indexes: a damaged index must not vouch for itself.
_JOBS = "SELECT count(*) FROM job NOT INDEXED"
_ASKED_TWICE = """
SELECT 'jobs/' || job_id || ' exists ' || count(*) || ' times' FROM job NOT INDEXED GROUP BY +job_id HAVING count(*) > 1
UNION ALL
SELECT 'request id of jobs/' || min(job_id) || ' stands for ' || count(*) || ' jobs' FROM job NOT INDEXED
WHERE request_id <> '' GROUP BY +request_id HAVING count(*) > 1
"""
_PUBLISHED_WITHOUT_CHANGE = f"""
SELECT 'jobs/' || job_id || ' has succeeded without an entry in the change log' FROM job
WHERE kind = 'INGEST' AND {_FOUND}
  AND NOT EXISTS (SELECT 1 FROM change c WHERE c.sequence = job.sequence AND c.kind = 'PUBLISHED'
  AND c.document_id = job.document_id)
"""

_CHANGES = "SELECT count(*), coalesce(min(sequence), 1), coalesce(max(sequence), 0) FROM change NOT INDEXED"
_PUBLISHED_TWICE = """
SELECT 'version ' || version_id || ' was published ' || count(*) || ' times' FROM change NOT INDEXED
WHERE kind = 'PUBLISHED' GROUP BY +version_id HAVING count(*) > 1
"""
_LOG_AND_DOCUMENTS_DIFFER = """
WITH last AS (SELECT document_id, kind, version_id, max(sequence) AS sequence FROM change GROUP BY document_id)
SELECT 'documents/' || d.document_id || ' stands at version ' || d.current_version_id || ', the change log at '
  || coalesce(l.kind || ' ' || l.version_id, 'nothing')
FROM document d LEFT JOIN last l ON l.document_id = d.document_id
WHERE l.version_id IS NOT d.current_version_id
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
_LEASE_RAN_OUT = (
    "SELECT 'the lease of jobs/' || job_id || ' ran out' FROM job WHERE state = 'RUNNING' AND lease_end < ?"
)
_STAGED = "SELECT count(*) FROM version WHERE state = 'STAGED'"
_STAGED_FOR_NOBODY = """
SELECT 'version ' || version_id || ' is staged by jobs/' || job_id || ', which will not publish it' FROM version
WHERE state = 'STAGED' AND NOT EXISTS (
  SELECT 1 FROM job WHERE job.job_id = version.job_id AND job.state IN ('QUEUED', 'RUNNING', 'DEAD'))
"""

_BADLY_ENDED = "SELECT job_id, failure FROM job WHERE state IN ('FAILED', 'DEAD')"


class SqliteIntegrity:
    """Implements the port Integrity."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    async def check(self) -> list[Invariant]:
        def work(connection: apsw.Connection) -> list[Invariant]:
            return [
                _asked_once(connection),
                check_texts(connection),
                _log(connection),
                _leftovers(connection, self._clock() - LEASE_GRACE_S),
                _reasons(connection),
            ]

        return await self._database.read(work)


def _asked_once(connection: apsw.Connection) -> Invariant:
    faults = [*_told(connection, _ASKED_TWICE), *_told(connection, _PUBLISHED_WITHOUT_CHANGE)]
    return _invariant("I1", "Each accepted upload exists exactly once.", connection.execute(_JOBS).get, faults)


def _log(connection: apsw.Connection) -> Invariant:
    row = connection.execute(_CHANGES).fetchone()
    assert row is not None  # noqa: S101 - an aggregate has a row
    count, first, last = row
    faults = [] if first == 1 and last == count else [f"{count} changes are numbered {first} to {last}"]
    faults += [*_told(connection, _PUBLISHED_TWICE), *_told(connection, _LOG_AND_DOCUMENTS_DIFFER)]
    faults += _told(connection, _LOG_AND_SEGMENTS_DIFFER)
    title = "The change log is dense, publishes each version once and agrees with the documents."
    return _invariant("I3", title, count, faults)


def _leftovers(connection: apsw.Connection, limit: float) -> Invariant:
    checked = connection.execute(_HELD).get + connection.execute(_STAGED).get
    faults = [*_told(connection, _LEASE_RAN_OUT, limit), *_told(connection, _STAGED_FOR_NOBODY)]
    return _invariant("I6", "No lease and no staged version outlives its job.", checked, faults)


def _reasons(connection: apsw.Connection) -> Invariant:
    faults = []
    checked = 0
    for job_id, failure in connection.execute(_BADLY_ENDED):
        checked += 1
        try:
            told = bool(failure_from_json(failure).sentence.strip())
        except (ValueError, KeyError, TypeError):
            told = False
        if not told:
            faults.append(f"jobs/{job_id} does not say why it ended")
    return _invariant("I10", "Every job that ended badly has a reason and a sentence.", checked, faults)


def _told(connection: apsw.Connection, statement: str, *bindings: float) -> Iterator[str]:
    return (str(row[0]) for row in connection.execute(f"{statement} LIMIT {FAULTS_TOLD}", bindings))


def _invariant(name: str, title: str, checked: int, faults: list[str]) -> Invariant:
    return Invariant(name, title, checked, tuple(faults[:FAULTS_TOLD]))
