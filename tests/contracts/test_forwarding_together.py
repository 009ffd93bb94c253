"""Several gateways empty one outbox: each entry is handed over once, and each document's entries in order."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.domain.entry import Entry, EntryState
from gateway.ports import EntryFilter
from gateway.use_cases.forwarding import CLAIM_S, Forwarding
from gateway.use_cases.nudge import Nudge
from tests.fakes.outbox_ports import NOW, OutboxPorts, entry, open_outbox

DEADLINE_S = 60.0
ALL_OPEN = EntryFilter(states=frozenset({EntryState.PENDING}))


@dataclass(slots=True)
class Intake:
    """A rag_server that takes a moment for each upload, and remembers who handed what over."""

    taken: list[tuple[str, str]] = field(default_factory=list)  # gateway, job
    under_way: set[tuple[str, str]] = field(default_factory=set)  # documents
    stuck: set[str] = field(default_factory=set)  # gateways whose calls never return


@dataclass(slots=True)
class ForGateway:
    """The rag_server as one of the gateways sees it."""

    name: str
    intake: Intake

    async def hand_over(self, entry: Entry) -> str:
        if self.name in self.intake.stuck:
            await asyncio.Event().wait()
        assert entry.key not in self.intake.under_way, "two entries of one document at once"
        self.intake.under_way.add(entry.key)
        await asyncio.sleep(0.002)
        self.intake.under_way.remove(entry.key)
        self.intake.taken.append((self.name, entry.job_id))
        return entry.job_id

    async def withdraw(self, job_id: str) -> bool:
        raise AssertionError(job_id)

    async def reachable(self) -> None:
        return


@dataclass(slots=True)
class Clock:
    now: float = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def gateways(outbox_place: Path | str | None) -> AsyncIterator[list[OutboxPorts]]:
    """Three, each with connections of its own where there are any."""
    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(open_outbox(outbox_place)) for _ in range(3)]
        yield opened if outbox_place is not None else [opened[0]] * 3


@asynccontextmanager
async def forwarding(ports: OutboxPorts, name: str, intake: Intake, clock: Clock) -> AsyncIterator[None]:
    forwarder = Forwarding(ports.work, ForGateway(name, intake), Nudge(), name, clock)
    task = asyncio.create_task(forwarder.run())
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.wait({task})


async def until_empty(ports: OutboxPorts) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while await ports.outbox.list_entries(ALL_OPEN, "", 1):
            await asyncio.sleep(0.02)


async def test_each_entry_is_handed_over_once_and_those_of_a_document_in_order(gateways: list[OutboxPorts]) -> None:
    for number in range(60):
        await gateways[number % 3].outbox.accept(entry(number, f"key-{number % 7}"))
    intake, clock = Intake(), Clock()
    async with AsyncExitStack() as stack:
        for number, ports in enumerate(gateways):
            await stack.enter_async_context(forwarding(ports, f"gateway {number}", intake, clock))
        await until_empty(gateways[0])
    jobs = [job for _, job in intake.taken]
    assert sorted(jobs) == [f"job-{number:03d}" for number in range(60)]
    by_document: dict[int, list[str]] = defaultdict(list)
    for job in jobs:
        by_document[int(job.removeprefix("job-")) % 7].append(job)
    assert all(handed == sorted(handed) for handed in by_document.values())


async def test_what_a_dead_gateway_held_goes_to_another_when_its_time_is_over(gateways: list[OutboxPorts]) -> None:
    for number, key in enumerate("ab"):
        await gateways[0].outbox.accept(entry(number, key))
    intake, clock = Intake(stuck={"dead"}), Clock()
    first = (await gateways[0].work.heads(0, 1, "dead", NOW))[0]
    assert await gateways[0].work.claim(first, "dead", NOW, NOW + CLAIM_S)
    async with forwarding(gateways[1], "alive", intake, clock):
        async with asyncio.timeout(DEADLINE_S):
            while not intake.taken:
                await asyncio.sleep(0.02)
        assert intake.taken == [("alive", "job-001")]
        clock.now += CLAIM_S
        await until_empty(gateways[1])
    assert intake.taken == [("alive", "job-001"), ("alive", "job-000")]


async def test_a_gateway_that_comes_back_under_its_name_goes_on_at_once(gateways: list[OutboxPorts]) -> None:
    await gateways[0].outbox.accept(entry(1))
    intake, clock = Intake(stuck={"gateway"}), Clock()
    async with forwarding(gateways[0], "gateway", intake, clock), asyncio.timeout(DEADLINE_S):
        while await gateways[1].work.heads(0, 1, "another", NOW):
            await asyncio.sleep(0.02)
    intake.stuck.clear()
    async with forwarding(gateways[2], "gateway", intake, clock):
        await until_empty(gateways[2])
    assert intake.taken == [("gateway", "job-001")]
