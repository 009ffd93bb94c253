"""Handing over: in order, until it is done, and never more than asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from gateway.domain.entry import Entry, EntryState, Origin, Refusal
from gateway.domain.errors import RagServerUnavailable
from gateway.domain.upload import Upload
from gateway.ports import HandOverFailed, RefusedByRagServer
from gateway.use_cases.forwarding import LANES, Forwarding
from gateway.use_cases.nudge import Nudge
from storage.blobs import Blob
from tests.fakes.outbox import MemoryOutbox
from tests.gateway.world import eventually

FAR = 9e9


@dataclass(slots=True)
class Intake:
    """Takes what it is handed, except for the errors in `fails`, which come first."""

    fails: list[Exception] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    may_go: asyncio.Event = field(default_factory=asyncio.Event)
    at_once: int = 0
    most_at_once: int = 0

    async def hand_over(self, entry: Entry) -> str:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.may_go.wait()
        finally:
            self.at_once -= 1
        if self.fails:
            raise self.fails.pop(0)
        self.taken.append(entry.job_id)
        return entry.job_id

    async def withdraw(self, job_id: str) -> bool:
        self.withdrawn.append(job_id)
        return job_id in self.known

    async def reachable(self) -> None:
        return


@asynccontextmanager
async def forwarding(
    outbox: MemoryOutbox, intake: Intake, changed: Nudge, holder: str = "gateway"
) -> AsyncIterator[Forwarding]:
    forwarder = Forwarding(outbox, intake, changed, holder)
    task = asyncio.create_task(forwarder.run())
    try:
        yield forwarder
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.wait({task})


async def accept(outbox: MemoryOutbox, number: int, key: str, holder: str = "", until: float = 0.0) -> Entry:
    entry = Entry(f"job-{number}", Upload(key, key), Blob("0" * 64, 1), Origin("", ""), 0.0, 0.0)
    return await outbox.accept(entry, holder, until)


class CountingOutbox(MemoryOutbox):
    """Counts how often it is looked at, and claimed from."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = self.claims = 0

    async def heads(self, after_position: int, limit: int, holder: str, now: float) -> list[Entry]:
        self.looks += 1
        return await super().heads(after_position, limit, holder, now)

    async def claim(self, entry: Entry, holder: str, now: float, until: float) -> bool:
        self.claims += 1
        return await super().claim(entry, holder, now, until)


def state_of(outbox: MemoryOutbox, number: int) -> EntryState:
    return outbox.entries[f"job-{number}"].state


async def test_a_few_documents_go_at_once_and_each_in_order() -> None:
    outbox, intake, changed = MemoryOutbox(), Intake(), Nudge()
    for number in range(30):
        await accept(outbox, number, f"key-{number % 6}")
    async with forwarding(outbox, intake, changed):
        await eventually(lambda: intake.at_once == LANES)
        intake.may_go.set()
        await eventually(lambda: len(intake.taken) == 30)
        await eventually(lambda: all(state_of(outbox, number) is EntryState.FORWARDED for number in range(30)))
    assert intake.most_at_once == LANES
    for key in range(6):
        numbers = [int(job.removeprefix("job-")) for job in intake.taken if int(job.removeprefix("job-")) % 6 == key]
        assert numbers == sorted(numbers)


async def test_what_fails_for_a_passing_reason_is_tried_again_and_holds_up_only_its_document() -> None:
    outbox, intake, changed = MemoryOutbox(), Intake(), Nudge()
    intake.fails = [HandOverFailed("INTERNAL"), RagServerUnavailable(), ValueError("a fault of ours")]
    intake.may_go.set()
    await accept(outbox, 1, "a")
    async with forwarding(outbox, intake, changed):
        await eventually(lambda: not intake.fails or len(intake.fails) < 3)
        await accept(outbox, 2, "a")
        changed()
        await eventually(lambda: len(intake.taken) == 2)
    assert intake.taken == ["job-1", "job-2"]


async def test_what_is_refused_is_not_tried_again() -> None:
    outbox, intake, changed = MemoryOutbox(), Intake(), Nudge()
    intake.fails = [RefusedByRagServer(Refusal(9, "REQUEST_ID_REUSED", "No."))]
    intake.may_go.set()
    await accept(outbox, 1, "a")
    await accept(outbox, 2, "a")
    async with forwarding(outbox, intake, changed):
        await eventually(lambda: state_of(outbox, 2) is EntryState.FORWARDED)
    assert state_of(outbox, 1) is EntryState.REFUSED
    assert intake.taken == ["job-2"]


async def test_what_is_cancelled_on_its_way_is_withdrawn() -> None:
    outbox, intake, changed = MemoryOutbox(), Intake(), Nudge()
    await accept(outbox, 1, "a")
    async with forwarding(outbox, intake, changed):
        await eventually(lambda: intake.at_once == 1)
        await outbox.cancel("job-1", 0.0)
        intake.known.add("job-1")
        intake.may_go.set()
        await eventually(lambda: intake.withdrawn == ["job-1"])
        # The rag_server has the job: from now on it speaks of it.
        await eventually(lambda: state_of(outbox, 1) is EntryState.FORWARDED)


async def test_what_was_cancelled_before_it_went_stays_cancelled() -> None:
    outbox, intake, changed = MemoryOutbox(), Intake(), Nudge()
    await accept(outbox, 1, "a")
    await outbox.cancel("job-1", 0.0)
    async with forwarding(outbox, intake, changed):
        await eventually(lambda: not outbox.entries["job-1"].open)
    assert state_of(outbox, 1) is EntryState.CANCELLED
    assert intake.taken == []


async def test_what_is_offered_goes_without_a_look_or_a_claim_and_what_waits_for_it_follows() -> None:
    outbox, intake, changed = CountingOutbox(), Intake(), Nudge()
    async with forwarding(outbox, intake, changed) as forwarder:
        await eventually(lambda: outbox.looks == 1)  # what may be left from before
        forwarder.offer(await accept(outbox, 1, "a", forwarder.holder, FAR))
        forwarder.offer(await accept(outbox, 2, "b", forwarder.holder, FAR))
        await eventually(lambda: intake.at_once == 2)
        assert (outbox.looks, outbox.claims) == (1, 0)
        forwarder.offer(await accept(outbox, 3, "a", forwarder.holder, FAR))
        intake.may_go.set()
        await eventually(lambda: state_of(outbox, 3) is EntryState.FORWARDED)
    assert (sorted(intake.taken), outbox.claims) == (["job-1", "job-2", "job-3"], 1)


async def test_what_was_offered_and_cancelled_before_it_went_stays_cancelled() -> None:
    outbox, intake, changed = MemoryOutbox(), Intake(), Nudge()
    async with forwarding(outbox, intake, changed) as forwarder:
        for number in range(LANES + 1):
            forwarder.offer(await accept(outbox, number, f"key-{number}", forwarder.holder, FAR))
        await eventually(lambda: intake.at_once == LANES)
        await outbox.cancel(f"job-{LANES}", 0.0)
        changed()
        intake.may_go.set()
        await eventually(lambda: not outbox.entries[f"job-{LANES}"].open)
    assert state_of(outbox, LANES) is EntryState.CANCELLED
    assert f"job-{LANES}" not in intake.taken
