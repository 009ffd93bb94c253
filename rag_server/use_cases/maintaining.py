"""What has to be done now and then: leases that ran out, files that nobody wants, jobs of long ago."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from rag_server.ports import Blobs, Jobs, References, Wakeups
from serving import logs
from serving.errors import Unavailable

LOG = logs.get(__name__)
SWEEP_LEASES_S = 5.0
SWEEP_FILES_S = 3_600.0
FILE_GRACE_S = 86_400.0  # a gateway may have stored bytes whose job is still to come


@dataclass(frozen=True, slots=True)
class Maintaining:
    """Runs beside the serving of one server. Any number of servers may do so at once."""

    jobs: Jobs
    blobs: Blobs
    references: References
    wakeups: Wakeups

    async def run(self) -> None:
        """Never returns. A store that does not answer is asked again the next time."""
        while True:
            files_due_s = time.monotonic() + SWEEP_FILES_S
            await self._attempt(self.sweep_files)
            while time.monotonic() < files_due_s:
                await self._attempt(self.sweep_leases)
                await asyncio.sleep(SWEEP_LEASES_S)

    async def _attempt(self, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except (Unavailable, OSError) as error:
            LOG.warning("maintenance put off", cause=repr(error.__cause__ or error))

    async def sweep_leases(self) -> None:
        """Take jobs back from workers that were not heard of."""
        taken = await self.jobs.sweep(time.time())
        if taken:
            LOG.warning("leases ran out", jobs=taken)
            self.wakeups.notify("queue")
            self.wakeups.notify("jobs")

    async def sweep_files(self) -> None:
        """Forget jobs that ended long ago and files that nothing refers to."""
        forgotten = await self.jobs.prune(time.time())
        removed = await asyncio.to_thread(self.blobs.sweep, self.references.wanted, FILE_GRACE_S)
        LOG.info("swept", jobs=forgotten, files=removed)
