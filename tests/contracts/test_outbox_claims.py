"""What every outbox does for several gateways that share it."""

import asyncio

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
