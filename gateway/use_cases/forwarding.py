"""Forwarding: what was acknowledged is handed to the rag_server until it has it, each document's uploads in order."""

import asyncio
import random
import time
from collections.abc import Callable

from gateway.domain.entry import Entry, EntryState
from gateway.domain.errors import RagServerUnavailable
from gateway.ports import HandOverFailed, OutboxWork, RagServerIntake, RefusedByRagServer
from gateway.use_cases.nudge import Nudge
from serving import logs, trace
from serving.errors import Unavailable
from serving.failpoint import failpoint

LOG = logs.get(__name__)
LANES = 4  # handed over at once
LOOK_AHEAD = 16  # rows in one look
OFFER_S = 1.0  # an entry that nobody got to so soon after it was accepted is looked up again
POLL_S = 1.0  # a lost nudge costs so much
FIRST_REST_S = 0.2
LONGEST_REST_S = 60.0
CLAIM_S = 15.0  # longer than one try takes; what a gateway held that died waits so long for another
Clock = Callable[[], float]


class Forwarding:
    """Empties the outbox. Nothing in here needs to survive: an entry is open until its row says otherwise."""

    def __init__(
        self, outbox: OutboxWork, rag_server: RagServerIntake, changed: Nudge, holder: str, clock: Clock = time.time
    ) -> None:
        """`holder` is the name under which it claims: one that was used before takes its claims back at once."""
        self._outbox = outbox
        self._rag_server = rag_server
        self.changed = changed
        self._clock = clock
        self._picking = asyncio.Lock()
        self._offered: dict[str, tuple[Entry, float]] = {}  # by job id: what waits for nothing, since when (monotonic)
        self._behind: set[str] = set()  # job ids of what was accepted here, and waits for others
        self._upheavals = -1  # of `changed`, when the table was looked at and had nothing due
        self.holder = holder
        self._busy: set[tuple[str, str]] = set()
        self._resting: dict[str, tuple[int, float]] = {}  # job id: failures, until (monotonic)

    def offer(self, entry: Entry) -> None:
        """An entry that was accepted just now: it need not be looked up."""
        if entry.held:
            self._offered[entry.job_id] = entry, time.monotonic()
        else:
            self._behind.add(entry.job_id)
        self.changed(entry.job_id)

    async def run(self) -> None:
        """Go on until cancelled."""
        async with asyncio.TaskGroup() as lanes:
            for number in range(LANES):
                lanes.create_task(self._lane(), name=f"forward-{number}")

    async def _lane(self) -> None:
        while True:
            try:
                await self._rag_server.reachable()
                entry = await self._pick()
            except Unavailable:  # the outbox's disk
                await asyncio.sleep(_rest_s(3))
                continue
            trace.CURRENT.set(trace.begin(entry.origin.request_id, entry.origin.traceparent))
            try:
                await self._settle(entry)
            finally:
                self._busy.discard(entry.key)
                self.changed(entry.job_id)

    async def _pick(self) -> Entry:
        """The next entry whose document no lane is busy with; it is busy now."""
        async with self._picking:
            while True:
                ticket = self.changed.ticket()
                entry = self._next_offered() or (await self._next_due() if self._may_be_due() else None)
                if entry is not None:
                    self._busy.add(entry.key)
                    self._behind.discard(entry.job_id)
                    return entry
                if not await self.changed.wait(ticket, self._pause_s()):
                    self._look_again()

    def _next_offered(self) -> Entry | None:
        if self.changed.upheavals != self._upheavals:
            self._offered.clear()  # it may have been cancelled: it is looked up, as all that waits
        oldest = time.monotonic() - OFFER_S
        for job_id, (entry, since) in list(self._offered.items()):
            if since < oldest:
                del self._offered[job_id]
                self._look_again()
            elif entry.key not in self._busy:
                del self._offered[job_id]
                return entry
        return None

    def _may_be_due(self) -> bool:
        return self._upheavals != self.changed.upheavals or bool(self._behind)

    def _look_again(self) -> None:
        self._upheavals = -1

    async def _next_due(self) -> Entry | None:
        position, upheavals = 0, self.changed.upheavals
        # What another lane settles during the look still stands in it as it was.
        busy = set(self._busy)
        while heads := await self._outbox.heads(position, LOOK_AHEAD, self.holder, self._clock()):
            for entry in heads:
                if entry.key not in busy and not self._rests(entry) and await self._claim(entry):
                    return entry
            position = heads[-1].position
        self._upheavals = upheavals
        if not position:
            self._behind.clear()
        return None

    async def _claim(self, entry: Entry) -> bool:
        now = self._clock()
        return await self._outbox.claim(entry, self.holder, now, now + CLAIM_S)

    async def _settle(self, entry: Entry) -> None:
        """One try. A failure makes the entry rest, and with it what follows it."""
        try:
            if entry.state is EntryState.PENDING:
                await self._hand_over(entry)
            else:
                await self._withdraw(entry)
        except RagServerUnavailable:
            await asyncio.sleep(_rest_s(1))  # until the breaker opens and does the waiting
            self._look_again()
        except (HandOverFailed, Unavailable) as error:
            self._rest(entry, str(error))
        except Exception:
            LOG.exception("forwarding failed", job=entry.job_id)
            self._rest(entry, "see the traceback")
        else:
            self._resting.pop(entry.job_id, None)

    async def _hand_over(self, entry: Entry) -> None:
        try:
            known_as = await self._rag_server.hand_over(entry)
        except RefusedByRagServer as refused:
            await self._outbox.refused(entry, refused.refusal, self._clock())
            LOG.warning("refused", job=entry.job_id, reason=refused.refusal.reason)
            return
        failpoint("gateway.forwarded")
        if not await self._outbox.forwarded(entry, known_as, self._clock()):
            self._look_again()  # it was cancelled meanwhile
        LOG.info("forwarded", job=entry.job_id, waited_s=round(self._clock() - entry.accept_time, 3))

    async def _withdraw(self, entry: Entry) -> None:
        """Cancelled here; an earlier try may have reached the rag_server all the same."""
        if await self._rag_server.withdraw(entry.job_id):
            await self._outbox.forwarded(entry, entry.job_id, self._clock())
        else:
            await self._outbox.withdrawn(entry, self._clock())

    def _rest(self, entry: Entry, cause: str) -> None:
        failures = self._resting.get(entry.job_id, (0, 0.0))[0] + 1
        self._resting[entry.job_id] = failures, time.monotonic() + _rest_s(failures)
        self._look_again()
        LOG.warning("not forwarded yet", job=entry.job_id, failures=failures, cause=cause)

    def _rests(self, entry: Entry) -> bool:
        return self._resting.get(entry.job_id, (0, 0.0))[1] > time.monotonic()

    def _pause_s(self) -> float:
        soonest = min((until for _, until in self._resting.values()), default=float("inf"))
        return max(0.01, min(POLL_S, soonest - time.monotonic()))


def _rest_s(failures: int) -> float:
    """0.2, 0.4, 0.8 … 60 s, times 0.5 to 1."""
    longest = min(LONGEST_REST_S, FIRST_REST_S * 2.0 ** min(failures - 1, 20))
    return longest * (0.5 + random.random() / 2)  # noqa: S311 - spreads load, guards nothing
