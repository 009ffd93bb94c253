"""A delete comes after what was accepted before it."""

import asyncio
from pathlib import Path

import pytest

from gateway.domain.entry import Entry, Origin
from gateway.domain.errors import RagServerUnavailable
from gateway.domain.upload import Upload, UploadKind
from gateway.use_cases import steering
from gateway.use_cases.nudge import Nudge
from gateway.use_cases.steering import Steering
from storage.blobs import Blob, BlobFolder
from tests.fakes.outbox import MemoryOutbox


async def accepted(outbox: MemoryOutbox, job_id: str, key: str) -> Entry:
    kind = UploadKind.INGEST if key else UploadKind.TEXTS
    return await outbox.accept(
        Entry(job_id, Upload(key, key, "notes", kind=kind), Blob("0" * 64, 1), Origin("", ""), 0.0, 0.0)
    )


async def test_a_delete_waits_until_the_texts_before_it_are_handed_over(tmp_path: Path) -> None:
    outbox, changed = MemoryOutbox(), Nudge()
    steers = Steering(outbox, BlobFolder(tmp_path), changed, lambda: 1.0)
    texts, _ = await accepted(outbox, "1", ""), await accepted(outbox, "2", "a.txt")
    waiting = asyncio.create_task(steers.let_pass("notes", texts_only=True))
    await asyncio.sleep(0)
    assert not waiting.done()
    await outbox.forwarded(texts, "1", 2.0)
    changed()
    async with asyncio.timeout(5):
        await waiting


async def test_a_delete_does_not_wait_for_ever_nor_for_other_collections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = MemoryOutbox()
    steers = Steering(outbox, BlobFolder(tmp_path), Nudge(), lambda: 1.0)
    await accepted(outbox, "1", "a.txt")
    await steers.let_pass("others", texts_only=False)
    await steers.let_pass("notes", texts_only=True)
    monkeypatch.setattr(steering, "PASS_S", 0.01)
    with pytest.raises(RagServerUnavailable):
        await steers.let_pass("notes", texts_only=False)
