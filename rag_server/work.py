"""The working program: `python -m rag_server.work`. Holds one slot and takes documents in, one at a time."""

import os

# Before numpy is loaded: its products here are small, and threads that share them out turn idly in between.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import sys

from rag_server.bootstrap.entry import run
from rag_server.bootstrap.work import worker
from rag_server.settings import Settings
from serving.signals import stop_requested


def main() -> int:
    """Work until SIGTERM or SIGINT. Exit status 78: a setting, the model or the store cannot be used."""
    return run("work", _run)


async def _run(settings: Settings) -> None:
    stop = stop_requested()
    async with worker(settings) as slot:
        await slot.run(stop)


if __name__ == "__main__":
    sys.exit(main())
