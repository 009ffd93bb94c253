"""How much of the embedder's own speed an ingest keeps: everything around embedding should cost next to nothing."""

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

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
TURNS = 3  # of both, one after the other: what else the machine does meets both alike
PAGES_BUNDLED = 270
PAGES_TRANSFORMER = 45
DEADLINE_S = 300.0
MIB = 1 << 20

CHUNKS = """
SELECT ordinal, text, char_start, char_end, page_first, page_last, headings FROM chunk
WHERE collection = ? ORDER BY ordinal
"""


def measure(subject: Subject) -> list[Figure]:
    """End to end from the first byte sent; then the embedder alone on the same chunks, threads and priority."""
    pages = PAGES_BUNDLED if subject.is_bundled else PAGES_TRANSFORMER
    whole_s = alone_s = 0.0
    chunks = 0
    with PeakMemory(subject.stack.processes) as peak, EmbedderAlone(subject.model) as embedder:
        for turn in range(TURNS):
            collection = f"{COLLECTION}-{turn}"  # nothing of the earlier ones is known in it
            content = text_pdf(40 + turn, pages)
            begun_s = time.perf_counter()
            subject.client.take_in("rate.pdf", content, collection, DEADLINE_S)
            whole_s += time.perf_counter() - begun_s
            texts = _embedded_texts(subject.stack.data / "rag_server.db", collection)
            alone_s += embedder.seconds_for(texts)
            chunks += len(texts)
    whole, alone = chunks / whole_s, chunks / alone_s
    budget = None if subject.is_bundled else Budget(0.90, at_least=True)
    program, most_bytes = max(peak.peaks().items(), key=lambda entry: entry[1])
    return [
        Figure("ingest_per_s", f"ingest of {chunks} chunks, end to end", whole, "chunks/s"),
        Figure("embed_per_s", "the embedder alone on the same chunks and threads", alone, "chunks/s"),
        Figure("ingest_over_embed", "ingest ÷ embedder alone", whole / alone, "", budget),
        Figure("ingest_peak_mib", f"most memory meanwhile ({program})", most_bytes / MIB, "MiB", Budget(1024)),
    ]


class EmbedderAlone:
    """The embedder as the worker has it, loaded and warm, in this process."""

    def __init__(self, model: str) -> None:
        self._executor = low_priority_executor("embed")
        threads = os.cpu_count() or 1
        self._embedder = self._executor.submit(FastembedEmbedder, resolve(model, Path()), threads).result()
        self.seconds_for(["uma frase para aquecer"] * 16)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown()

    def seconds_for(self, texts: Sequence[str]) -> float:
        """How long all of them take in one call."""
        begun_s = time.perf_counter()
        self._executor.submit(self._embedder.embed_passages, texts).result()
        return time.perf_counter() - begun_s


def _embedded_texts(database: Path, collection: str) -> list[str]:
    connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.pragma("wal_autocheckpoint", 0)
    try:
        rows = list(connection.execute(CHUNKS, (collection,)))
    finally:
        connection.close()
    return [
        Chunk(ordinal, text, start, end, first, last, tuple(json.loads(headings))).embedded_text
        for ordinal, text, start, end, first, last, headings in rows
    ]
