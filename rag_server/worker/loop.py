"""The slot: claim a job, work on it, settle it, again. One job at a time."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from rag_server.domain.failure import Failure, FailureReason, IngestionFailed
from rag_server.domain.job import Claim, JobKind, Progress, retry_delay_s
from rag_server.ports import LeaseLost, Slot, Wakeups
from rag_server.staging_ports import Staging
from rag_server.worker.progress import ProgressMeter
from serving import logs, trace
from serving.errors import Unavailable

LOG = logs.get(__name__)
LEASE_S = 15.0
SHORT_S = 0.1  # a job that ends within this time is left alone
BEAT_S = 0.5  # progress is written so often, if there is any
RENEW_S = 5.0  # the lease is renewed so often
STALL_S = 180.0  # without any progress the process is taken for hung
POLL_S = 1.0  # a lost nudge costs so much
RETIRED_BATCH = 2_000
STORE_PAUSE_S = 1.0

Work = Callable[[Claim, ProgressMeter], Awaitable[None]]
"""Carries out a claimed job. Raises IngestionFailed where the input is bad, GiveWay, LeaseLost; what ports raise."""


class Stalled(Exception):
    """The job makes no progress though nothing has failed: only a new process helps."""


class GiveWay(Exception):
    """Others go first: the job is to be queued until then, and gone on with."""

    def __init__(self, until: float) -> None:
        super().__init__()
        self.until = until


class _CancelRequested(Exception):
    """Somebody asked for the job's end."""


@dataclass(frozen=True, slots=True)
class Worker:
    """Holds one slot."""

    name: str
    slot: Slot
    staging: Staging
    works: Mapping[JobKind, Work]
    wakeups: Wakeups

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; the job under way is given back. Raises Stalled."""
        stopped = asyncio.create_task(self._wake_at(stop), name="wake at stop")
        while not stop.is_set():
            try:
                taken_back = await self.slot.reclaim(self.name, time.time())
                if taken_back:
                    LOG.warning("took back the lease of a dead process", jobs=taken_back)
                await self._drain(stopped)
            except Unavailable as error:
                LOG.warning("the store does not answer", reason=error.reason, cause=repr(error.__cause__))
                await asyncio.sleep(STORE_PAUSE_S)
        await stopped

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.wakeups.notify("queue")

    async def _drain(self, stopped: asyncio.Task[None]) -> None:
        while not stopped.done():
            claim = await self.slot.claim(self.name, time.time(), LEASE_S)
            if claim is not None:
                await self._settle(claim, stopped)
            elif not await self.staging.drop_retired(RETIRED_BATCH):
                await self.wakeups.wait(frozenset({"queue"}), POLL_S)

    async def _settle(self, claim: Claim, stopped: asyncio.Task[None]) -> None:
        """Work on the job and tell the queue how it ended."""
        order = claim.job.order
        token = trace.CURRENT.set(trace.begin(order.origin_request_id, order.traceparent))
        begin = time.monotonic()
        size_bytes, attempt = order.size_bytes, claim.job.attempt
        LOG.info("job begins", job=order.job_id, kind=order.kind, attempt=attempt, size_bytes=size_bytes)
        try:
            outcome = await self._attempt(claim, stopped)
        except LeaseLost:
            outcome = "lease lost"
        LOG.info("job ends", job=order.job_id, outcome=outcome, seconds=round(time.monotonic() - begin, 3))
        trace.CURRENT.reset(token)
        # Who waits for a job waits for both.
        self.wakeups.notify("changes" if outcome == "done" else "jobs")

    async def _attempt(self, claim: Claim, stopped: asyncio.Task[None]) -> str:
        try:
            await self._supervised(claim, stopped)
        except IngestionFailed as error:
            await self.slot.fail(claim, error.failure, time.time())
            return error.failure.reason.value
        except _CancelRequested:
            await self.slot.cancelled(claim, time.time())
            return "cancelled"
        except asyncio.CancelledError:
            await self.slot.release(claim, time.time())
            return "released"
        except GiveWay as way:
            await self.slot.release(claim, time.time(), way.until)
            return "gave way"
        except (LeaseLost, Stalled):
            raise
        except Exception as error:
            LOG.exception("job failed for an unforeseen cause", job=claim.job.order.job_id)
            await self._defer(claim, error)
            return "deferred"
        return "done"

    async def _defer(self, claim: Claim, error: Exception) -> None:
        reason = error.reason if isinstance(error, Unavailable) else type(error).__name__
        failure = Failure(FailureReason.INTERNAL, detail={"cause": reason})
        now = time.time()
        delay_s = retry_delay_s(claim.job.attempt, random.random())  # noqa: S311 - jitter
        await self.slot.defer(claim, failure, now + delay_s, now)

    async def _supervised(self, claim: Claim, stopped: asyncio.Task[None]) -> None:
        """Do the job; where it takes longer, with a heartbeat beside it. The first of them that ends ends the other.

        Raises what the work raises; CancelledError where the worker is stopped.
        """
        meter = ProgressMeter(time.monotonic())
        work = asyncio.ensure_future(self.works[claim.job.order.kind](claim, meter))
        tasks = [work]
        try:
            await asyncio.wait([work, stopped], timeout=SHORT_S, return_when=asyncio.FIRST_COMPLETED)
            if not (work.done() or stopped.done()):
                beat = asyncio.create_task(self._beat(claim, meter), name="heartbeat")
                tasks.append(beat)
                await asyncio.wait([work, beat, stopped], return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    return task.result()
            raise asyncio.CancelledError
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _beat(self, claim: Claim, meter: ProgressMeter) -> None:
        """Renew the lease as long as there is progress. Raises LeaseLost, Stalled or _CancelRequested."""
        told: Progress | None = None
        renewed_s = 0.0
        nudged = True  # perhaps, before anybody listened
        while True:
            progress, now_s = meter.snapshot(), time.monotonic()
            if meter.idle_s(now_s) > STALL_S:
                raise Stalled
            if progress != told or nudged or now_s - renewed_s >= RENEW_S:
                if await self.slot.heartbeat(claim, progress, time.time(), LEASE_S):
                    raise _CancelRequested
                self.wakeups.notify("jobs")
                told, renewed_s = progress, now_s
            begin_s = time.monotonic()
            await self.wakeups.wait(frozenset({"cancel"}), BEAT_S)
            nudged = time.monotonic() - begin_s < BEAT_S
