"""How much of the embedder's own speed an ingest keeps: everything around embedding should cost next to nothing."""

import asyncio
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

import apsw

from bench.figures import Budget, Figure
from bench.memory import PeakMemory
from bench.pdf import text_pdf
from bench.subject import Subject
from rag_server.adapters.fastembed.embedder import FastembedEmbedder
from rag_server.adapters.fastembed.models import resolve
from rag_server.bootstrap.low_priority import low_priority_executor
from rag_server.domain.chunk import Chunk

COLLECTION = "ingest-rate"
PAGES_BUNDLED = 800
PAGES_TRANSFORMER = 130
DEADLINE_S = 300.0
MIB = 1 << 20

CHUNKS = """
SELECT ordinal, text, char_start, char_end, page_first, page_last, headings FROM chunk
WHERE collection = ? ORDER BY ordinal
"""


def measure(subject: Subject) -> list[Figure]:
    """End to end from the first byte sent; then the embedder alone on the same chunks, threads and priority."""
    content = text_pdf(11, PAGES_BUNDLED if subject.is_bundled else PAGES_TRANSFORMER)
    with PeakMemory(subject.stack.processes) as peak:
        begun_s = time.perf_counter()
        subject.client.take_in("rate.pdf", content, COLLECTION, DEADLINE_S)
        whole_s = time.perf_counter() - begun_s
    texts = _embedded_texts(subject.stack.data / "rag_server.db")
    alone_s = asyncio.run(_embed_alone(subject.model, texts))
    whole, alone = len(texts) / whole_s, len(texts) / alone_s
    budget = None if subject.is_bundled else Budget(0.90, at_least=True)
    program, most_bytes = max(peak.peaks().items(), key=lambda entry: entry[1])
    return [
        Figure("ingest_per_s", f"ingest of {len(texts)} chunks, end to end", whole, "chunks/s"),
        Figure("embed_per_s", "the embedder alone on the same chunks and threads", alone, "chunks/s"),
        Figure("ingest_over_embed", "ingest ÷ embedder alone", whole / alone, "", budget),
        Figure("ingest_peak_mib", f"most memory meanwhile ({program})", most_bytes / MIB, "MiB", Budget(1024)),
    ]


def _embedded_texts(database: Path) -> list[str]:
    connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.pragma("wal_autocheckpoint", 0)
    try:
        rows = list(connection.execute(CHUNKS, (COLLECTION,)))
    finally:
        connection.close()
    return [
        Chunk(ordinal, text, start, end, first, last, tuple(json.loads(headings))).embedded_text
        for ordinal, text, start, end, first, last, headings in rows
    ]


async def _embed_alone(model: str, texts: Sequence[str]) -> float:
    """Seconds, with the model loaded and warm."""
    threads = os.cpu_count() or 1
    loop = asyncio.get_running_loop()
    executor = low_priority_executor("embed")
    folder = resolve(model, Path())
    embedder = await loop.run_in_executor(executor, FastembedEmbedder, folder, threads)
    await loop.run_in_executor(executor, embedder.embed_passages, texts[:16])
    begun_s = time.perf_counter()
    await loop.run_in_executor(executor, embedder.embed_passages, texts)
    elapsed_s = time.perf_counter() - begun_s
    executor.shutdown()
    return elapsed_s
