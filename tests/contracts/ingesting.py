"""The steps of an ingestion, small enough to be read in a test."""

import hashlib
from dataclasses import replace
from itertools import count

import numpy as np
import uuid_utils

from rag_server.domain.chunk import Chunk
from rag_server.domain.document import Document, StagedChunk, Summary
from rag_server.domain.failure import Failure
from rag_server.domain.job import Claim, Job, JobKind, Order
from rag_server.domain.texts import PreparedText, TextItem
from tests.fakes.store_ports import DIMENSIONS, StorePorts

LEASE_S = 15.0
_ticks = count(1_000)


def tick() -> float:
    """A time later than all before."""
    return float(next(_ticks))


def order(key: str = "a.txt", content: str = "one", *, collection: str = "default", **more: str | int) -> Order:
    """An order for a file with this content; its words are its chunks."""
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    values = {"priority": 5, "request_id": "", **more}
    return Order(
        str(uuid_utils.uuid7()), collection, key, key.rpartition("/")[2], sha256, len(content),
        priority=int(values["priority"]), request_id=str(values["request_id"]),
    )  # fmt: skip


def batch_order(kind: JobKind, *, collection: str = "default", priority: int = 5) -> Order:
    """An order for a job about several documents."""
    return Order(str(uuid_utils.uuid7()), collection, "", "", "f" * 64, 1, priority=priority, kind=kind)


def prepared(key: str, content: str, **more: str | tuple[str, ...]) -> PreparedText:
    """A text whose words are its chunks."""
    item = TextItem(key, content, **more)  # type: ignore[arg-type]  # a test gives what fits
    made = replace(summary(content), properties={"title": item.title} if item.title else {})
    return PreparedText(item, made, ((1, 0, content),), tuple(staged_chunks(content)))


def vector(text: str) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    digest = hashlib.sha256(text.encode()).digest()
    made = np.frombuffer(digest[:DIMENSIONS], np.uint8).astype(np.float32) + 1
    return made / np.linalg.norm(made)


def staged_chunks(content: str) -> list[StagedChunk]:
    """One chunk per word."""
    chunks = []
    start = 0
    for ordinal, word in enumerate(content.split(" ")):
        chunk = Chunk(ordinal, word, start, start + len(word), 1, 1, ())
        chunks.append(StagedChunk(chunk, vector(chunk.embedded_text)))
        start += len(word) + 1
    return chunks


def summary(content: str) -> Summary:
    return Summary("text/plain", 1, 1, len(content.split(" ")), len(content), {})


async def claim(store: StorePorts, now: float | None = None) -> Claim:
    claimed = await store.slot.claim("slot-0", tick() if now is None else now, LEASE_S)
    assert claimed is not None
    return claimed


async def stage(store: StorePorts, claimed: Claim, content: str) -> int:
    version_id = await store.staging.begin(claimed)
    await store.staging.stage_text(claimed, version_id, [(1, 0, content)])
    await store.staging.stage_chunks(claimed, version_id, staged_chunks(content))
    return version_id


async def finish(store: StorePorts, claimed: Claim, content: str, problem: Failure | None = None) -> int:
    version_id = await stage(store, claimed, content)
    return await store.staging.publish(claimed, version_id, summary(content), problem, tick())


async def ingest(store: StorePorts, key: str = "a.txt", content: str = "one", *, collection: str = "default") -> Job:
    """Take a file in; the job as it ended."""
    asked = order(key, content, collection=collection)
    job = await store.jobs.admit(asked, tick())
    if not job.ended:
        claimed = await claim(store)
        assert claimed.job.order == asked
        if not await store.staging.unchanged(claimed, tick()):
            await finish(store, claimed, content)
    return await store.jobs.get(asked.job_id)


async def ingested(store: StorePorts, key: str = "a.txt", content: str = "one") -> Document:
    """Take a file in; the document that stands then."""
    return await store.documents.get((await ingest(store, key, content)).document_id)


def found_texts(store: StorePorts) -> list[str]:
    """The texts of all chunks that may be found."""
    ids = [int(chunk_id) for chunk_id in store.change_log.current_chunk_ids()]
    passages = store.change_log.passages(ids)
    return [passages[chunk_id].text for chunk_id in ids]
