"""Copies the rag_server's part of a store into another: `acervo copy` starts it and tells it what on its input."""

import sys
from pathlib import Path

from rag_server import migrations
from rag_server.bootstrap.examination import examine
from storage.copying.holding import Service
from storage.copying.program import main

# The files that a sweep would leave alone.
_WANTED_BLOBS = """
SELECT sha256 FROM version WHERE state IN ('STAGED', 'CURRENT') AND part_of = ''
UNION SELECT part_of FROM version WHERE state IN ('STAGED', 'CURRENT') AND part_of <> ''
UNION SELECT sha256 FROM segment WHERE state = 'CURRENT'
UNION SELECT sha256 FROM job WHERE state NOT IN ('SUCCEEDED', 'SUCCEEDED_PARTIALLY') AND sha256 <> ''
"""

SERVICE = Service(
    name="rag_server",
    migrations=Path(migrations.__file__).parent,
    tables=(
        "collection", "pinned_model", "job", "version", "document", "page", "chunk", "change", "tombstone", "segment",
        "history", "queue_state",
    ),
    wanted_blobs=_WANTED_BLOBS,
    derived=frozenset({"nearest_chunk"}),
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(SERVICE, examine))
