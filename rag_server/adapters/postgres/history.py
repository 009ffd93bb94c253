"""Versions that were replaced: retired, and told of for as long as their document stands."""

from collections.abc import Sequence

from storage.postgres import Connection

KEPT_VERSIONS = 100  # of a document

_RECORD = """
INSERT INTO history (document_id, number, collection, document_key, sha256, size_bytes, file_name, media_type,
  publish_time, chunk_count, job_id)
SELECT document_id, number, collection, document_key, sha256, size_bytes, file_name, media_type, publish_time,
  chunk_count, job_id FROM version WHERE version_id = ANY($1::bigint[]) AND state = 'CURRENT'
"""

_FORGET_OLD = """
DELETE FROM history USING version v WHERE v.version_id = ANY($1::bigint[])
  AND history.document_id = v.document_id AND history.number <= v.number - $2::bigint
"""

_RETIRE = "UPDATE version SET state = 'RETIRED' WHERE version_id = ANY($1::bigint[]) AND state = 'CURRENT'"


async def retire_version(connection: Connection, version_id: int) -> None:
    """The version is about to be replaced. Nothing happens where there is none (0)."""
    await retire_versions(connection, [version_id] if version_id else [])


async def retire_versions(connection: Connection, version_ids: Sequence[int]) -> None:
    """The versions are about to be replaced."""
    if version_ids:
        await connection.execute(_RECORD, version_ids)
        await connection.execute(_FORGET_OLD, version_ids, KEPT_VERSIONS - 1)
        await connection.execute(_RETIRE, version_ids)
