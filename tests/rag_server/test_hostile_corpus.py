"""Hostile files through the real worker: each ends, and harms neither the machine nor the jobs beside it."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import uuid_utils

from bench.memory import PeakMemory
from rag_server.adapters.sqlite.jobs import SqliteJobs
from rag_server.domain.extraction import ExtractionLimits
from rag_server.domain.job import Job, JobState, Order
from rag_server.domain.pipeline import Pipeline
from storage.blobs import BlobFolder
from storage.migrations import upgrade
from storage.sqlite import Database
from tests.fakes.store_ports import MIGRATIONS

ROOT = Path(__file__).parents[2]
CORPUS = Path(os.environ.get("ACERVO_TEST_DATA", "/nonexistent")) / "data" / "docs" / "bad"
ENOUGH_S = 120.0
GIB = 1 << 30
HEALTHY_EACH = 8

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="ACERVO_TEST_DATA does not hold the corpora")


async def admit(jobs: SqliteJobs, blobs: BlobFolder, name: str, content: bytes, now: float) -> str:
    async with blobs.begin() as upload:
        await upload.write(content)
        blob = await upload.finish()
    order = Order(str(uuid_utils.uuid7()), "default", name, name, blob.sha256, blob.size_bytes)
    await jobs.admit(order, now)
    return order.job_id


async def ended(jobs: SqliteJobs, job_id: str, worker: "subprocess.Popen[bytes]") -> Job:
    async with asyncio.timeout(ENOUGH_S):
        while not (job := await jobs.get(job_id)).ended:
            assert worker.poll() is None, "the worker has died"
            await asyncio.sleep(0.05)
    return job


def seconds(job: Job) -> float:
    return (job.end_time or 0.0) - (job.start_time or 0.0)


async def take_in(folder: Path, worker: "subprocess.Popen[bytes]") -> tuple[list[Job], list[Job]]:
    """The jobs of the hostile files, and those of the healthy ones between them, as they ended."""
    hostile, healthy = [], []
    async with Database(folder / "rag_server.db") as database:
        jobs, blobs = SqliteJobs(database, Pipeline("any", "any")), BlobFolder(folder / "blobs")
        for number, path in enumerate(sorted(CORPUS.iterdir())):
            if path.name == "MANIFEST.jsonl":
                continue
            hostile.append(await admit(jobs, blobs, path.name, path.read_bytes(), number))
            if number % HEALTHY_EACH == 0:
                content = f"A healthy text, number {number}.\n" * 50
                healthy.append(await admit(jobs, blobs, f"healthy-{number}.txt", content.encode(), number))
        return [await ended(jobs, one, worker) for one in hostile], [await ended(jobs, one, worker) for one in healthy]


def test_every_hostile_file_ends_and_harms_nobody(tmp_path: Path) -> None:
    folder, temporary = tmp_path / "store", tmp_path / "tmp"
    folder.mkdir()
    temporary.mkdir()
    upgrade(folder / "rag_server.db", MIGRATIONS)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ACERVO_")}
    settings = {"PYTHONPATH": str(ROOT), "ACERVO_STORE": str(folder), "TMPDIR": str(temporary)}
    command = [sys.executable, "-m", "rag_server.work"]
    worker = subprocess.Popen(command, env={**inherited, **settings}, stderr=subprocess.DEVNULL)
    try:
        family = psutil.Process(worker.pid)
        with PeakMemory(lambda: [family, *family.children(recursive=True)]) as memory:
            hostile, healthy = asyncio.run(take_in(folder, worker))
        assert worker.poll() is None
    finally:
        worker.terminate()
        status = worker.wait(ENOUGH_S)
    assert status == 0
    assert list(temporary.rglob("*")) == []

    assert len(hostile) == 64
    assert {job.state for job in hostile} <= {JobState.FAILED, JobState.SUCCEEDED, JobState.SUCCEEDED_PARTIALLY}
    assert {job.state for job in healthy} == {JobState.SUCCEEDED}
    assert {(job.attempt, job.crashes) for job in [*hostile, *healthy]} == {(1, 0)}
    allowed_s = ExtractionLimits().document_timeout_s + 2
    assert max(map(seconds, hostile)) <= allowed_s
    peaks = memory.peaks()
    assert {"work", "extract"} <= peaks.keys()
    assert max(peaks.values()) < GIB, peaks
