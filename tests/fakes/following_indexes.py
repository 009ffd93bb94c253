"""How far the views of a server are, moved by the test."""

import asyncio

from rag_server.domain.errors import NotReady
from rag_server.index_ports import IndexState


class FollowingIndexes:
    """Implements the waiting side of the port Indexes; it holds nothing to search in."""

    def __init__(self) -> None:
        self._applied = 0
        self._moved = asyncio.Condition()

    @property
    def applied_sequence(self) -> int:
        return self._applied

    def current(self) -> IndexState:
        raise NotReady

    async def apply(self, sequence: int) -> None:
        async with self._moved:
            self._applied = sequence
            self._moved.notify_all()

    async def wait_for(self, sequence: int, timeout_s: float) -> bool:
        async with self._moved:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._moved.wait_for(lambda: self._applied >= sequence)
            except TimeoutError:
                return False
        return True

    async def wait_patiently(self, sequence: int, timeout_s: float) -> bool:
        return await self.wait_for(sequence, timeout_s)
