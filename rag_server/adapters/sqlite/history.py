"""Versions that were replaced: retired, and told of for as long as their document stands."""

import apsw

KEPT_VERSIONS = 100  # of a document

_RECORD = """
INSERT INTO history (document_id, number, collection, document_key, sha256, size_bytes, file_name, media_type,
  publish_time, chunk_count, job_id)
SELECT document_id, number, collection, document_key, sha256, size_bytes, file_name, media_type, publish_time,
  chunk_count, job_id FROM version WHERE version_id = ? AND state = 'CURRENT'
"""

_FORGET_OLD = """
DELETE FROM history WHERE document_id = (SELECT document_id FROM version WHERE version_id = ?1)
  AND number <= (SELECT number FROM version WHERE version_id = ?1) - ?2
"""

_RETIRE = "UPDATE version SET state = 'RETIRED' WHERE version_id = ? AND state = 'CURRENT'"


def retire_version(connection: apsw.Connection, version_id: int) -> None:
    """The version is about to be replaced. Nothing happens where there is none (0)."""
    if version_id:
        connection.execute(_RECORD, (version_id,))
        connection.execute(_FORGET_OLD, (version_id, KEPT_VERSIONS - 1))
        connection.execute(_RETIRE, (version_id,))
