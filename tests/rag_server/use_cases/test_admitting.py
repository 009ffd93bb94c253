"""Uploads are let in if there is room for them, and their bytes are there."""

from pathlib import Path

import pytest

from rag_server.domain.errors import BlobNotFound, DiskLow, UploadTooLarge
from rag_server.domain.job import JobState
from rag_server.use_cases.admitting import Admitting
from storage.blobs import BlobFolder
from tests.contracts.ingesting import order
from tests.fakes.memory_wakeups import MemoryWakeups
from tests.fakes.store_ports import memory_ports


def admitting(folder: Path, min_free_bytes: int = 0) -> Admitting:
    return Admitting(memory_ports().jobs, BlobFolder(folder), MemoryWakeups(), 1_000, min_free_bytes)


async def test_bytes_that_are_stored_become_a_job(tmp_path: Path) -> None:
    async with BlobFolder(tmp_path).begin() as upload:
        await upload.write(b"one")
        await upload.finish()
    assert (await admitting(tmp_path).admit(order(content="one"))).state is JobState.QUEUED


async def test_a_reference_to_bytes_that_are_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BlobNotFound):
        await admitting(tmp_path).admit(order(content="one"))


def test_a_file_over_the_limit_is_refused_with_both_figures(tmp_path: Path) -> None:
    with pytest.raises(UploadTooLarge) as raised:
        admitting(tmp_path).check_room(1_001)
    assert raised.value.metadata == {"asked": "1001", "allowed": "1000"}


def test_uploads_are_refused_before_the_disk_is_full(tmp_path: Path) -> None:
    with pytest.raises(DiskLow) as raised:
        admitting(tmp_path, min_free_bytes=1 << 60).check_room(1)
    assert raised.value.retry_after_s is not None
