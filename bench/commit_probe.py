"""Commits like the worker's, timed: `python -m bench.commit_probe FOLDER MODEL SECONDS EMBEDS`."""

import asyncio
import json
import os
import sys
import threading
import time
from pathlib import Path

import apsw

from bench.figures import percentile
from bench.prose import prose
from rag_server.adapters.fastembed.embedder import FastembedEmbedder
from rag_server.adapters.fastembed.models import resolve
from rag_server.bootstrap.low_priority import low_priority_executor
from storage.sqlite import Database

CHUNKS = 100
CHUNK_BYTES = 1_200
VECTOR_BYTES = 1_024
PASSAGES = 64


def main() -> None:
    """Print the percentiles as JSON."""
    folder, model, seconds, embeds = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), sys.argv[4] == "1"
    over = threading.Event()
    executor = low_priority_executor("embed")
    embedding = executor.submit(_embed, model, over) if embeds else None
    times = asyncio.run(_commit(folder / "probe.db", seconds))
    over.set()
    if embedding is not None:
        embedding.result()
    executor.shutdown()
    print(json.dumps({"p50_ms": percentile(times, 0.5) * 1_000, "p99_ms": percentile(times, 0.99) * 1_000}))


def _embed(model: str, over: threading.Event) -> None:
    embedder = FastembedEmbedder(resolve(model, Path()), os.cpu_count() or 1)
    texts = [prose(seed, 180) for seed in range(PASSAGES)]
    while not over.is_set():
        embedder.embed_passages(texts)


async def _commit(path: Path, seconds: float) -> list[float]:
    times: list[float] = []
    async with Database(path) as database:
        await database.write(lambda connection: connection.execute("CREATE TABLE chunk (text, vector)"))
        end_s = time.perf_counter() + seconds
        while time.perf_counter() < end_s:
            begun_s = time.perf_counter()
            await database.write(_stage)
            times.append(time.perf_counter() - begun_s)
            await asyncio.sleep(0.02)  # the worker has other things to do, too
    return times


def _stage(connection: apsw.Connection) -> None:
    rows = ((os.urandom(CHUNK_BYTES // 2).hex(), os.urandom(VECTOR_BYTES)) for _ in range(CHUNKS))
    connection.executemany("INSERT INTO chunk VALUES (?, ?)", rows)


if __name__ == "__main__":
    main()
