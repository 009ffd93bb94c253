"""Search as plain function calls in this process, over the same store: what the server is held against."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

from rag_server.adapters.faiss.view import FaissView
from rag_server.adapters.fastembed.embedder import FastembedEmbedder
from rag_server.adapters.fastembed.models import resolve
from rag_server.adapters.postings.view import PostingsView
from rag_server.adapters.sqlite.changes import SqliteChangeLog
from rag_server.adapters.tantivy.view import TantivyView
from rag_server.bootstrap.searching import SearchModels, searching
from rag_server.index_ports import IndexState
from rag_server.use_cases.searching import Searching
from rag_server.views.batch import next_batch
from rag_server.views.united import Views
from storage.blobs import BlobFolder
from storage.sqlite import Database

P = ParamSpec("P")
T = TypeVar("T")


class Inline(Executor):
    """Runs what it is given at once, in the caller's thread."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Call it now; what it raises is raised."""
        future: Future[T] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@dataclass(frozen=True, slots=True)
class Standing:
    """Indexes that follow nothing any more. Implements the port Indexes."""

    state: IndexState

    @property
    def applied_sequence(self) -> int:
        """That of the state."""
        return self.state.sequence

    async def wait_for(self, sequence: int, timeout_s: float) -> bool:  # noqa: ARG002 - the port's signature
        """Nothing more comes."""
        return sequence <= self.state.sequence

    async def wait_patiently(self, sequence: int, timeout_s: float) -> bool:
        """Nothing more comes."""
        return await self.wait_for(sequence, timeout_s)

    def current(self) -> IndexState:
        """The state."""
        return self.state


@contextmanager
def searching_here(store: Path, model: str, scratch: Path) -> Iterator[Searching]:
    """The use case over the store in `store`, with indexes of its own in `scratch`."""
    embedder = FastembedEmbedder(resolve(model, Path()), 1)
    database = Database(store / "rag_server.db", checkpoints=False)
    log = SqliteChangeLog(database)
    blobs = BlobFolder(store / "blobs")
    views = Views(FaissView(embedder.dimensions), TantivyView(scratch), PostingsView(), blobs.path)
    views.clear()
    sequence = 0
    while (batch := next_batch(log, sequence)).change_count:
        views.apply(batch)
        sequence = batch.last_sequence
    models = SearchModels(model, embedder.kind, embedder)
    try:
        yield searching(Standing(views.state(sequence)), log, models, Inline())
    finally:
        views.close()
        asyncio.run(database.close())
