"""What ran out is taken back, and what nobody wants is removed."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uuid_utils

from rag_server.adapters.sqlite.references import SqliteReferences
from rag_server.domain.job import JobKind, JobState, Order
from rag_server.segment_ports import BuiltSegment
from rag_server.use_cases.maintaining import Maintaining
from storage.blobs import Blob, BlobFolder
from storage.sqlite import Database
from tests.contracts.ingesting import claim, order, tick
from tests.fakes.memory_wakeups import MemoryWakeups
from tests.fakes.store_ports import StorePorts, open_database, sqlite_ports

TWO_DAYS_S = 2 * 86_400


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(tmp_path / "rag_server.db") as database:
        yield database


async def old_blob(blobs: BlobFolder, content: str) -> Blob:
    async with blobs.begin() as upload:
        await upload.write(content.encode())
        blob = await upload.finish()
    long_ago = time.time() - TWO_DAYS_S
    os.utime(blobs.path(blob.sha256), (long_ago, long_ago))
    return blob


def maintaining(store: StorePorts, blobs: BlobFolder, database: Database, wakeups: MemoryWakeups) -> Maintaining:
    return Maintaining(store.jobs, blobs, SqliteReferences(database), wakeups)


async def test_files_that_no_document_and_no_job_needs_are_removed(tmp_path: Path, database: Database) -> None:
    store, blobs = sqlite_ports(database), BlobFolder(tmp_path / "blobs")
    wanted, orphan = await old_blob(blobs, "one"), await old_blob(blobs, "two")
    await store.jobs.admit(order(content="one"), time.time())
    await maintaining(store, blobs, database, MemoryWakeups()).sweep_files()
    assert (blobs.has(wanted), blobs.has(orphan)) == (True, False)


async def test_the_file_of_a_segment_is_removed_once_it_is_out_of_use(tmp_path: Path, database: Database) -> None:
    store, blobs = sqlite_ports(database), BlobFolder(tmp_path / "blobs")
    sweeping = maintaining(store, blobs, database, MemoryWakeups())
    segment = await old_blob(blobs, "a segment")
    for built, replaced, kept in ((BuiltSegment(segment, 1), (), True), (None, (1,), False)):
        order = Order(str(uuid_utils.uuid7()), "default", "", "", "", 0, kind=JobKind.MAINTENANCE)
        assert await store.segments.ask(order, tick())
        await store.segments.publish(await claim(store), built, replaced, tick())
        await sweeping.sweep_files()
        assert blobs.has(segment) is kept


async def test_a_lease_that_ran_out_is_queued_again_and_the_worker_told(tmp_path: Path, database: Database) -> None:
    store, wakeups = sqlite_ports(database), MemoryWakeups()
    asked = order()
    await store.jobs.admit(asked, 1.0)
    await claim(store, now=2.0)
    told = asyncio.create_task(wakeups.wait(frozenset({"queue"}), 10.0))
    await maintaining(store, BlobFolder(tmp_path / "blobs"), database, wakeups).sweep_leases()
    await told
    assert (await store.jobs.get(asked.job_id)).state is JobState.QUEUED
