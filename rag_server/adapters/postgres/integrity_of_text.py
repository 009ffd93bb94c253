"""I2: what can be found is whole, and its chunks are pieces of the text they cite."""

import json

from rag_server.domain.chunk import Chunk
from rag_server.domain.invariant import Invariant
from storage.postgres import Connection

FAULTS_TOLD = 20
VERSIONS_READ = 500  # of more, a sample; the counts are checked for all
CHUNKS_READ = 200  # of one version

_COUNTS = """
SELECT v.version_id, v.chunk_count, count(c.chunk_id), coalesce(min(c.ordinal), 0), coalesce(max(c.ordinal) + 1, 0),
  d.current_version_id
FROM version v LEFT JOIN chunk c ON c.version_id = v.version_id
LEFT JOIN document d ON d.collection = v.collection AND d.document_id = v.document_id
WHERE v.state = 'CURRENT' GROUP BY v.version_id, d.current_version_id
"""

# Foreign keys see to it that there is a version; here, that it is the current one.
_SHOWN_THOUGH_NOT_CURRENT = """
SELECT d.document_id FROM document d LEFT JOIN version v ON v.version_id = d.current_version_id
WHERE v.state IS DISTINCT FROM 'CURRENT' OR v.document_id IS DISTINCT FROM d.document_id LIMIT 20
"""

_JOBS_WITHOUT_VERSION = """
SELECT job.job_id FROM job JOIN document d ON d.document_id = job.document_id AND d.number = job.document_version
WHERE outcome IN ('CREATED', 'UPDATED')
  AND NOT EXISTS (SELECT 1 FROM version v WHERE v.version_id = d.current_version_id AND v.job_id = job.job_id) LIMIT 20
"""

_PAGES = "SELECT char_start, text FROM page WHERE version_id = $1 ORDER BY ordinal"

_CHUNKS = """
SELECT ordinal, text, char_start, char_end, page_first, page_last, headings, content_hash, length(vector)
FROM chunk WHERE version_id = $1 AND ordinal % $2::bigint = 0 ORDER BY ordinal
"""

_DIMENSIONS = "SELECT dimensions FROM pinned_model"


async def check_texts(connection: Connection) -> Invariant:
    """How many chunks were counted; of large holdings a sample is read."""
    faults = await _wrong_pointers(connection)
    checked = 0
    versions: list[tuple[int, int]] = []
    for version_id, wanted, count, first, end, current in await connection.fetch(_COUNTS):
        checked += count
        versions.append((version_id, wanted))
        if (count, first, end) != (wanted, 0, wanted):
            faults.append(f"version {version_id} has {count} of {wanted} chunks, numbered {first} to {end - 1}")
        if current != version_id:
            faults.append(f"version {version_id} is current, and its document says {current}")
    for version_id, chunk_count in versions[:: len(versions) // VERSIONS_READ + 1]:
        faults.extend(await _wrong_texts(connection, version_id, chunk_count // CHUNKS_READ + 1))
        if len(faults) >= FAULTS_TOLD:
            break
    title = "What can be found is whole, and each chunk is the piece of text that it cites."
    return Invariant("I2", title, checked, tuple(faults[:FAULTS_TOLD]))


async def _wrong_pointers(connection: Connection) -> list[str]:
    shown = await connection.fetch(_SHOWN_THOUGH_NOT_CURRENT)
    jobs = await connection.fetch(_JOBS_WITHOUT_VERSION)
    return [
        *(f"documents/{row[0]} shows a version that is not current" for row in shown),
        *(f"jobs/{row[0]} has succeeded, and its document shows what another job made" for row in jobs),
    ]


async def _wrong_texts(connection: Connection, version_id: int, step: int) -> list[str]:
    """Faults in every `step`-th chunk of a version."""
    faults = []
    pages = await connection.fetch(_PAGES, version_id)
    text = "".join(page for _, page in pages)
    if [start for start, _ in pages] != _starts([page for _, page in pages]):
        faults.append(f"version {version_id} has pages that do not follow each other")
    vector_bytes = 4 * int(await connection.fetchval(_DIMENSIONS) or 0)
    for *place, headings, content_hash, length in await connection.fetch(_CHUNKS, version_id, step):
        chunk = Chunk(*[*place, tuple(json.loads(headings))])
        if chunk.text != text[chunk.char_start : chunk.char_end]:
            faults.append(f"chunk {chunk.ordinal} of version {version_id} is not the piece of text that it cites")
        elif chunk.content_hash != content_hash:
            faults.append(f"chunk {chunk.ordinal} of version {version_id} has another content hash")
        elif length != vector_bytes:
            faults.append(f"chunk {chunk.ordinal} of version {version_id} has a vector of {length} bytes")
    return faults


def _starts(pages: list[str]) -> list[int]:
    starts = []
    length = 0
    for page in pages:
        starts.append(length)
        length += len(page)
    return starts
