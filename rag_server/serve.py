"""The serving program: `python -m rag_server.serve`. Answers jobs, documents and searches over gRPC."""

import os

# Before faiss is loaded: one search is one thread, and several searches share the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import sys

from rag_server.bootstrap.entry import run
from rag_server.bootstrap.serve import served
from rag_server.settings import Settings
from serving.signals import stop_requested

# A thread that computes lets another one on within so much time: a search changes threads several times, and each time
# might wait so long for changes that are being applied.
YIELD_S = 0.001


def main() -> int:
    """Serve until SIGTERM or SIGINT. Exit status 78: a setting, the model or the store cannot be used."""
    return run("serve", _run)


async def _run(settings: Settings) -> None:
    sys.setswitchinterval(YIELD_S)
    stop = stop_requested()
    async with served(settings, fronted=True):
        await stop.wait()


if __name__ == "__main__":
    sys.exit(main())
