"""Copies the gateway's part of a store into another: `acervo copy` starts it and tells it what on its input."""

import sys
from pathlib import Path

from gateway import migrations
from storage.copying.holding import Service
from storage.copying.program import Found, main
from storage.profile import Profile

SERVICE = Service(
    name="gateway",
    migrations=Path(migrations.__file__).parent,
    tables=("outbox",),
    # What was handed over is the rag_server's. What was refused or cancelled may be tried again, if its file is there.
    wanted_blobs="SELECT DISTINCT sha256 FROM outbox WHERE state <> 'FORWARDED'",
)


async def examine(profile: Profile) -> list[Found]:  # noqa: ARG001 - as the program asks
    """What must hold of an outbox needs a rag_server to compare with: `acervo verify` does, once all runs."""
    return []


if __name__ == "__main__":
    sys.exit(main(SERVICE, examine))
