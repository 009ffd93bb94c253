"""The views of a server over a hand-written change log, with the real engines."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rag_server.adapters.faiss.view import FaissView
from rag_server.adapters.postings.view import PostingsView
from rag_server.adapters.tantivy.view import TantivyView
from rag_server.ports import ChangeLog
from rag_server.views.follower import Follower
from rag_server.views.keeping import Keeping
from rag_server.views.manifest import ModelOfVectors
from rag_server.views.snapshot import Snapshots
from rag_server.views.united import Views
from tests.fakes.change_log import MemoryChangeLog, Text
from tests.fakes.hashing_embedder import HashingEmbedder

EMBEDDER = HashingEmbedder()
MODEL = ModelOfVectors(EMBEDDER.fingerprint, EMBEDDER.dimensions)


def texts(*each: str) -> list[Text]:
    return [Text(text, EMBEDDER.embed_query(text)) for text in each]


def new_views(folder: Path) -> Views:
    return Views(FaissView(EMBEDDER.dimensions), TantivyView(folder / "work"), PostingsView(), folder.joinpath)


def follower_of(log: ChangeLog, folder: Path) -> Follower:
    return Follower(log, new_views(folder), Keeping(Snapshots(folder, MODEL)))


@contextmanager
def following(log: ChangeLog, folder: Path) -> Iterator[Follower]:
    follower = follower_of(log, folder)
    follower.start()
    try:
        yield follower
    finally:
        follower.stop()


def library(documents: int) -> MemoryChangeLog:
    log = MemoryChangeLog()
    for n in range(documents):
        log.publish(f"d{n}", texts(f"processo número {n}", f"a licitação {n} foi publicada"))
    return log
