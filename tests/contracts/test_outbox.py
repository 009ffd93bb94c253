"""What every outbox does."""

import asyncio
from dataclasses import replace

import pytest

from gateway.domain.entry import EntryState, Refusal
from gateway.domain.errors import RequestIdReused
from gateway.domain.upload import UploadKind
from gateway.ports import EntryFilter
from storage.blobs import Blob
from tests.fakes.outbox_ports import NOW, OutboxPorts, entry

ONE = "gateway"
REFUSAL = Refusal(9, "REQUEST_ID_REUSED", "No.", {"key": "told"})


async def test_what_is_accepted_comes_back_as_it_was(ports: OutboxPorts) -> None:
    accepted = await ports.outbox.accept(entry(1, request_id="mine"))
    assert await ports.outbox.get("job-001") == accepted
    assert await ports.outbox.find_request("mine") == accepted
    assert accepted.upload == entry(1, request_id="mine").upload
    assert (accepted.state, accepted.open, accepted.revision) == (EntryState.PENDING, True, 0)
    assert await ports.outbox.get("job-002") is None


async def test_the_same_job_is_accepted_once(ports: OutboxPorts) -> None:
    first = await ports.outbox.accept(entry(1))
    assert await ports.outbox.accept(entry(1)) == first


async def test_a_request_id_stands_for_one_job(ports: OutboxPorts) -> None:
    first = await ports.outbox.accept(entry(1, request_id="mine"))
    assert await ports.outbox.accept(entry(2, request_id="mine")) == first
    assert await ports.outbox.get("job-002") is None


@pytest.mark.parametrize("other", [{"key": "b"}, {"collection": "c"}, {"content": "1"}])
async def test_a_request_id_is_not_used_for_something_else(ports: OutboxPorts, other: dict[str, str]) -> None:
    await ports.outbox.accept(entry(1, request_id="mine"))
    with pytest.raises(RequestIdReused):
        await ports.outbox.accept(entry(2, request_id="mine", **other))


async def test_without_a_request_id_every_upload_is_its_own(ports: OutboxPorts) -> None:
    await ports.outbox.accept(entry(1))
    await ports.outbox.accept(entry(2))
    assert await ports.outbox.find_request("") is None
    assert (await ports.records.counts())[0] == 2


async def test_a_hundred_at_once_are_all_kept_in_the_order_of_the_calls(ports: OutboxPorts) -> None:
    await asyncio.gather(*(ports.outbox.accept(entry(n, key=f"{n}")) for n in range(100)))
    heads = await ports.work.heads(0, 200, ONE, NOW)
    assert [head.job_id for head in heads] == [f"job-{n:03d}" for n in range(100)]


async def test_only_the_first_of_each_document_is_due(ports: OutboxPorts) -> None:
    for number, key in enumerate("aabab"):
        await ports.outbox.accept(entry(number, key))
    heads = await ports.work.heads(0, 10, ONE, NOW)
    assert [head.job_id for head in heads] == ["job-000", "job-002"]
    assert [head.job_id for head in await ports.work.heads(heads[0].position, 10, ONE, NOW)] == ["job-002"]
    assert [head.job_id for head in await ports.work.heads(0, 1, ONE, NOW)] == ["job-000"]
    await ports.work.forwarded(heads[0], "job-000", NOW)
    assert [head.job_id for head in await ports.work.heads(0, 10, ONE, NOW)] == ["job-001", "job-002"]


async def test_forwarded_is_settled_and_remembers_the_name(ports: OutboxPorts) -> None:
    accepted = await ports.outbox.accept(entry(1))
    assert await ports.work.has_open("default", "a")
    await ports.work.forwarded(accepted, "other", NOW + 9)
    found = await ports.outbox.get("job-001")
    assert found is not None
    assert (found.state, found.open, found.known_as, found.update_time) == (
        EntryState.FORWARDED,
        False,
        "other",
        NOW + 9,
    )
    assert not await ports.work.has_open("default", "a")
    assert await ports.work.heads(0, 10, ONE, NOW) == []


async def test_refused_keeps_why(ports: OutboxPorts) -> None:
    accepted = await ports.outbox.accept(entry(1))
    await ports.work.refused(accepted, REFUSAL, NOW)
    found = await ports.outbox.get("job-001")
    assert found is not None
    assert (found.state, found.refusal, found.open, found.revision) == (EntryState.REFUSED, REFUSAL, False, 1)


async def test_cancelled_stays_due_until_the_rag_server_was_asked(ports: OutboxPorts) -> None:
    await ports.outbox.accept(entry(1))
    cancelled = await ports.outbox.cancel("job-001", NOW)
    assert cancelled is not None
    assert (cancelled.state, cancelled.open) == (EntryState.CANCELLED, True)
    assert await ports.work.heads(0, 10, ONE, NOW) == [cancelled]
    await ports.work.withdrawn(cancelled, NOW)
    found = await ports.outbox.get("job-001")
    assert found is not None
    assert (found.state, found.open) == (EntryState.CANCELLED, False)


async def test_only_what_is_pending_is_cancelled(ports: OutboxPorts) -> None:
    accepted = await ports.outbox.accept(entry(1))
    await ports.work.refused(accepted, REFUSAL, NOW)
    found = await ports.outbox.cancel("job-001", NOW)
    assert found is not None
    assert found.state is EntryState.REFUSED
    assert await ports.outbox.cancel("job-002", NOW) is None


async def test_what_was_cancelled_meanwhile_is_not_forwarded(ports: OutboxPorts) -> None:
    seen = await ports.outbox.accept(entry(1))
    await ports.outbox.cancel("job-001", NOW)
    await ports.work.forwarded(seen, "job-001", NOW)
    await ports.work.refused(seen, REFUSAL, NOW)
    found = await ports.outbox.get("job-001")
    assert found is not None
    assert (found.state, found.open) == (EntryState.CANCELLED, True)


async def test_documents_and_collections_are_cancelled_at_once(ports: OutboxPorts) -> None:
    for number, (key, collection) in enumerate([("a", "x"), ("a", "x"), ("b", "x"), ("a", "y")]):
        await ports.outbox.accept(entry(number, key, collection))
    assert await ports.outbox.cancel_documents("x", "a", NOW) == 2
    assert await ports.outbox.cancel_documents("x", "", NOW) == 1
    assert (await ports.records.counts())[0] == 1


async def test_a_retried_upload_goes_to_the_end(ports: OutboxPorts) -> None:
    first = await ports.outbox.accept(entry(1, "a"))
    await ports.outbox.accept(entry(2, "b"))
    await ports.work.refused(first, REFUSAL, NOW)
    again = await ports.outbox.retry("job-001", NOW)
    assert again is not None
    assert (again.state, again.open, again.refusal, again.revision) == (EntryState.PENDING, True, None, 2)
    assert [head.job_id for head in await ports.work.heads(0, 10, ONE, NOW)] == ["job-002", "job-001"]


async def test_what_is_pending_or_forwarded_is_not_retried(ports: OutboxPorts) -> None:
    accepted = await ports.outbox.accept(entry(1))
    assert await ports.outbox.retry("job-001", NOW) == accepted
    await ports.work.forwarded(accepted, "job-001", NOW)
    found = await ports.outbox.retry("job-001", NOW)
    assert found is not None
    assert found.state is EntryState.FORWARDED
    assert await ports.outbox.retry("job-002", NOW) is None


async def test_lists_are_filtered_and_the_latest_comes_first(ports: OutboxPorts) -> None:
    for number, collection in enumerate("xyxyx"):
        await ports.outbox.accept(entry(number, f"{number}", collection))
    await ports.outbox.cancel("job-002", NOW)
    everything = await ports.outbox.list_entries(EntryFilter(), "", 3)
    assert [one.job_id for one in everything] == ["job-004", "job-003", "job-002"]
    wanted = EntryFilter("x", frozenset({EntryState.PENDING}))
    assert [one.job_id for one in await ports.outbox.list_entries(wanted, "job-004", 9)] == ["job-000"]


async def test_the_oldest_that_waits_and_its_bytes_are_known(ports: OutboxPorts) -> None:
    assert await ports.records.counts() == (0, None)
    for number in (1, 2):
        await ports.outbox.accept(entry(number, f"{number}"))
    await ports.outbox.cancel("job-001", NOW)
    assert await ports.records.counts() == (1, NOW + 2)
    assert await ports.records.pending_blobs() == [Blob("0" * 64, 5)]


async def test_only_what_is_old_and_settled_is_pruned(ports: OutboxPorts) -> None:
    for number in range(4):
        await ports.outbox.accept(entry(number, f"{number}"))
    for number, time in ((0, NOW), (1, NOW + 10)):
        found = await ports.outbox.get(f"job-{number:03d}")
        assert found is not None
        await ports.work.forwarded(found, "x", time)
    await ports.outbox.cancel("job-002", NOW)
    assert await ports.records.prune(NOW + 5) == 1
    assert await ports.outbox.get("job-000") is None
    assert await ports.outbox.get("job-001") is not None
    assert await ports.outbox.get("job-002") is not None


async def test_texts_wait_for_what_was_accepted_before_them_and_what_comes_after_them_waits(ports: OutboxPorts) -> None:
    for number, key, collection in [(1, "a", "c"), (2, "", "c"), (3, "b", "c"), (4, "", "d")]:
        await ports.outbox.accept(entry(number, key, collection))
    heads = await ports.work.heads(0, 9, ONE, NOW)
    assert [head.job_id for head in heads] == ["job-001", "job-004"]
    await ports.work.forwarded(heads[0], "x", NOW)
    (texts, _) = await ports.work.heads(0, 9, ONE, NOW)
    assert texts.job_id == "job-002"
    await ports.work.forwarded(texts, "x", NOW)
    assert [head.job_id for head in await ports.work.heads(0, 9, ONE, NOW)] == ["job-003", "job-004"]


async def test_an_entry_remembers_what_it_is_about(ports: OutboxPorts) -> None:
    kept = replace(entry(1), upload=replace(entry(1).upload, document_key="", kind=UploadKind.TEXTS))
    assert (await ports.outbox.accept(kept)).upload.kind is UploadKind.TEXTS
    assert await ports.work.has_open("default", "any")
