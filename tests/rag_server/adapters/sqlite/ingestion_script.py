"""A program that takes every step of the store, and may be killed at any and run again until all is done."""

import asyncio
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

from rag_server.domain.document import WholeVersion
from rag_server.domain.errors import CollectionNotFound, DocumentNotFound, JobEnded, JobNotFound, JobNotRetryable
from rag_server.domain.failure import Failure, FailureReason
from rag_server.domain.job import Claim, JobKind, JobStage, JobState, Order, Progress
from rag_server.segment_ports import BuiltSegment
from storage.blobs import Blob
from tests.contracts.ingesting import LEASE_S, batch_order, order, prepared, staged_chunks, summary
from tests.fakes.store_ports import StorePorts, open_database, sqlite_ports

SLOT = "slot-0"
WHOLE = "plain-2"  # is published at once
PLAIN = {f"plain-{n}": f"words of number {n}" for n in range(4)}
CONTENTS = {
    **PLAIN,
    "bad": "broken",
    "flaky": "comes later",
    "polite": "comes after a pause",
    "unwanted": "never comes",
    "called-off": "never comes either",
    "second-try": "comes after all",
}
NOTES = {f"note-{n}": f"note of number {n}" for n in range(3)}
KEPT_NOTES = [content for key, content in NOTES.items() if key != "note-0"]
FOUND = sorted(
    word
    for content in [*(CONTENTS[key] for key in (*PLAIN, "flaky", "polite", "second-try")), *KEPT_NOTES]
    for word in content.split()
)
"""What can be found before the deletes of single documents: of each document every word once."""


def ordered(key: str, content: str, *, collection: str = "default", name: str = "") -> Order:
    """The same order with the same job id in every run."""
    return replace(order(key, content, collection=collection), job_id=str(uuid5(NAMESPACE_OID, name or key)))


AGAIN = ordered("plain-0", CONTENTS["plain-0"], name="the same bytes again")
SCRAP = ordered("scrap", "thrown away", collection="scrap", name="scrap")
TEXTS = replace(batch_order(JobKind.TEXTS, collection="notes"), job_id=str(uuid5(NAMESPACE_OID, "texts")))
DELETE = replace(
    batch_order(JobKind.DELETE, collection="notes", priority=0), job_id=str(uuid5(NAMESPACE_OID, "delete"))
)
SEGMENT = Order(str(uuid5(NAMESPACE_OID, "segment")), "notes", "", "", "", 0, priority=0, kind=JobKind.MAINTENANCE)
ORDERS = [*(ordered(key, content) for key, content in CONTENTS.items()), AGAIN, SCRAP, TEXTS, DELETE]


async def run(path: Path) -> None:
    """All of it; what an earlier run did is not done again."""
    async with open_database(path) as database:
        store = sqlite_ports(database)
        await store.slot.reclaim(SLOT, time.time())
        await _ask(store)
        while (claim := await store.slot.claim(SLOT, time.time(), LEASE_S)) is not None:
            await _work(store, claim)
        await store.jobs.sweep(time.time())
        await _delete(store)
        while await store.staging.drop_retired(2):
            pass
        await store.jobs.prune(time.time())


async def _ask(store: StorePorts) -> None:
    await store.queueing.pause(time.time())
    await store.queueing.resume()
    for each in ORDERS:
        await store.jobs.admit(each, time.time())
    try:
        await store.jobs.get(SEGMENT.job_id)
    except JobNotFound:
        await store.segments.ask(SEGMENT, time.time())
    with suppress(JobEnded, JobNotRetryable):
        await store.jobs.cancel(ordered("unwanted", "").job_id, time.time())
        await store.jobs.cancel(ordered("second-try", "").job_id, time.time())
        await store.jobs.retry(ordered("second-try", "").job_id, time.time())


async def _work(store: StorePorts, claim: Claim) -> None:
    job, now = claim.job, time.time()
    match job.order.document_key:
        case "" if job.order.kind is JobKind.TEXTS:
            await _take_texts_in(store, claim)
        case "" if job.order.kind is JobKind.MAINTENANCE:
            await store.segments.publish(claim, BuiltSegment(Blob("e" * 64, 1), len(KEPT_NOTES)), (), now)
        case "":
            await _delete_notes(store, claim)
        case "bad":
            await store.slot.fail(claim, Failure(FailureReason.CORRUPT), now)
        case "flaky" if job.attempt - job.crashes == 1:
            await store.slot.defer(claim, Failure(FailureReason.INTERNAL), now, now)
        case "polite" if job.start_time == job.update_time:
            await store.slot.release(claim, now)
        case "called-off":
            await store.jobs.cancel(job.order.job_id, now)
            await store.slot.cancelled(claim, now)
        case _:
            await _ingest(store, claim, SCRAP if job.order == SCRAP else job.order)


async def _ingest(store: StorePorts, claim: Claim, asked: Order) -> None:
    if await store.staging.unchanged(claim, time.time()):
        return
    content = "thrown away" if asked.collection == "scrap" else CONTENTS[asked.document_key]
    chunks = staged_chunks(content)
    if asked.document_key == WHOLE:
        whole = WholeVersion([(1, 0, content)], chunks, summary(content), None)
        await store.staging.publish_whole(claim, whole, time.time())
        return
    version_id = await store.staging.begin(claim)
    await store.staging.stage_text(claim, version_id, [(1, 0, content)])
    for chunk in chunks:
        await store.staging.stage_chunks(claim, version_id, [chunk])
        progress = Progress(JobStage.EMBEDDING, 1, 1, chunk.chunk.ordinal, len(chunks))
        await store.slot.heartbeat(claim, progress, time.time(), LEASE_S)
    await store.staging.publish(claim, version_id, summary(content), None, time.time())


async def _take_texts_in(store: StorePorts, claim: Claim) -> None:
    texts = [prepared(key, content) for key, content in NOTES.items()]
    done = claim.job.result.done
    while done < len(texts):
        done = (await store.batches.publish(claim, done, texts[done : done + 2], time.time())).done
    await store.batches.finish(claim, None, time.time())


async def _delete_notes(store: StorePorts, claim: Claim) -> None:
    standing = await store.contents.standing_after("notes", "", 9)
    meant = [one.attributes for one in standing if one.document.document_key == "note-0"]
    await store.batches.delete(claim, meant, time.time())
    await store.batches.finish(claim, None, time.time())


async def _delete(store: StorePorts) -> None:
    job = await store.jobs.get(ordered("plain-3", "").job_id)
    assert job.state is JobState.SUCCEEDED
    with suppress(DocumentNotFound):
        await store.documents.delete(job.document_id, "", time.time())
    with suppress(CollectionNotFound):
        await store.documents.delete_collection("scrap", time.time())


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1])))
