"""What every outbox does for several gateways that share it."""

import asyncio
from dataclasses import replace

from tests.fakes.outbox_ports import NOW, OutboxPorts, entry

ONE, OTHER = "one gateway", "another"


async def test_what_one_gateway_holds_is_not_due_for_another_until_its_time_is_over(ports: OutboxPorts) -> None:
    for number, key in enumerate("aab"):
        await ports.outbox.accept(entry(number, key))
    first = (await ports.work.heads(0, 9, ONE, NOW))[0]
    assert await ports.work.claim(first, ONE, NOW, NOW + 15)
    assert not await ports.work.claim(first, OTHER, NOW + 14, NOW + 29)
    assert [head.job_id for head in await ports.work.heads(0, 9, OTHER, NOW + 14)] == ["job-002"]
    assert [head.job_id for head in await ports.work.heads(0, 9, OTHER, NOW + 15)] == ["job-000", "job-002"]
    assert await ports.work.claim(first, OTHER, NOW + 15, NOW + 30)
    assert not await ports.work.claim(first, ONE, NOW + 16, NOW + 31)


async def test_what_waits_for_nothing_may_be_held_from_the_moment_that_it_is_accepted(ports: OutboxPorts) -> None:
    held = [await ports.outbox.accept(entry(number, key), ONE, NOW + 15) for number, key in enumerate("aab")]
    assert [one.held for one in held] == [True, False, True]
    assert [await ports.outbox.get(one.job_id) for one in held] == [replace(one, held=False) for one in held]
    assert await ports.work.heads(0, 9, OTHER, NOW + 14) == []
    assert [head.job_id for head in await ports.work.heads(0, 9, ONE, NOW + 14)] == ["job-000", "job-002"]
    assert await ports.work.forwarded(held[0], "job-000", NOW)
    assert [head.job_id for head in await ports.work.heads(0, 9, OTHER, NOW + 14)] == ["job-001"]


async def test_many_documents_in_one_entry_wait_for_all_and_all_wait_for_them(ports: OutboxPorts) -> None:
    assert (await ports.outbox.accept(entry(1, "a"), ONE, NOW + 15)).held
    assert not (await ports.outbox.accept(entry(2, ""), ONE, NOW + 15)).held
    assert not (await ports.outbox.accept(entry(3, "b"), ONE, NOW + 15)).held
    assert (await ports.outbox.accept(entry(4, "b", "other"), ONE, NOW + 15)).held


async def test_what_is_known_already_is_not_held(ports: OutboxPorts) -> None:
    first = await ports.outbox.accept(entry(1, request_id="once"), ONE, NOW + 15)
    again = await ports.outbox.accept(entry(2, request_id="once"), OTHER, NOW + 15)
    assert (again.job_id, first.held, again.held) == ("job-001", True, False)


async def test_who_holds_an_entry_may_hold_it_for_longer(ports: OutboxPorts) -> None:
    accepted = await ports.outbox.accept(entry(1))
    assert await ports.work.claim(accepted, ONE, NOW, NOW + 15)
    assert await ports.work.heads(0, 9, ONE, NOW) == [accepted]
    assert await ports.work.claim(accepted, ONE, NOW + 10, NOW + 25)
    assert await ports.work.heads(0, 9, OTHER, NOW + 20) == []


async def test_what_changed_or_was_settled_meanwhile_is_not_claimed(ports: OutboxPorts) -> None:
    seen = [await ports.outbox.accept(entry(number, f"{number}")) for number in (1, 2)]
    await ports.outbox.cancel("job-001", NOW)
    await ports.work.forwarded(seen[1], "job-002", NOW)
    assert not await ports.work.claim(seen[0], ONE, NOW, NOW + 15)
    assert not await ports.work.claim(seen[1], ONE, NOW, NOW + 15)


async def test_of_many_that_claim_at_once_one_holds_it(ports: OutboxPorts) -> None:
    accepted = await ports.outbox.accept(entry(1))
    claims = (ports.work.claim(accepted, f"gateway {number}", NOW, NOW + 15) for number in range(16))
    assert sum(await asyncio.gather(*claims)) == 1


async def test_a_request_id_sent_to_many_at_once_stands_for_one_job(ports: OutboxPorts) -> None:
    accepted = await asyncio.gather(*(ports.outbox.accept(entry(n, request_id="mine")) for n in range(16)))
    assert len({one.job_id for one in accepted}) == 1
    assert (await ports.records.counts())[0] == 1
