"""The job queue as a whole: a port beside those of ports.py."""

from typing import Protocol

from rag_server.domain.queue import Queue


class Queueing(Protocol):
    """Lets all workers of all machines begin jobs, or none. A pause outlives every process."""

    async def pause(self, now: float) -> None:
        """From now on `Slot.claim` gives nothing; what runs goes on. Pausing again changes nothing."""

    async def resume(self) -> None:
        """`Slot.claim` gives jobs again."""

    async def look(self, now: float) -> Queue:
        """How it is now."""
