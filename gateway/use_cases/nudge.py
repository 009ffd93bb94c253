"""Something changed in the outbox: those who wait for that look again."""

import asyncio
from weakref import WeakValueDictionary


class Nudge:
    """Wakes who waits. A lost nudge only costs them their polling interval: other gateways may change rows, too."""

    def __init__(self) -> None:
        self._any = asyncio.Event()
        self._of_job: WeakValueDictionary[str, asyncio.Event] = WeakValueDictionary()  # for as long as somebody waits
        self.upheavals = 0  # how often nobody said which job it was

    def __call__(self, job_id: str = "") -> None:
        """Wake those who wait for the job, and those who wait for any; without a job everybody."""
        concerned = [self._of_job.pop(job_id, None)] if job_id else list(self._of_job.values())
        for event in (self._any, *concerned):
            if event is not None:
                event.set()
        self._any = asyncio.Event()
        if not job_id:
            self._of_job.clear()
            self.upheavals += 1

    def ticket(self, job_id: str = "") -> asyncio.Event:
        """To be drawn before looking, so that what changes during the look is not missed. Without a job: for any."""
        return self._of_job.setdefault(job_id, asyncio.Event()) if job_id else self._any

    async def wait(self, ticket: asyncio.Event, timeout_s: float) -> bool:
        """Return at the first nudge since the ticket was drawn, or when the time is over: False."""
        try:
            async with asyncio.timeout(timeout_s):
                await ticket.wait()
        except TimeoutError:
            return False
        return True
