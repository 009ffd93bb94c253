"""Keeping step with the other servers of the holding: what one of them tells as found, all of them find."""

import time
from dataclasses import dataclass

from rag_server.index_ports import Indexes, IndexState, Replicas

TOLD_AGAIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Levelling:
    """The indexes of this server, said to be as far as the last of all that serve. Implements Indexes."""

    own: Indexes
    replicas: Replicas

    @property
    def applied_sequence(self) -> int:
        """What all have applied."""
        return self.replicas.least(self.own.applied_sequence)

    def current(self) -> IndexState:
        """The newest state of this server."""
        return self.own.current()

    async def wait_for(self, sequence: int, timeout_s: float) -> bool:
        """Whether all have reached the sequence when the time is over."""
        deadline_s = time.monotonic() + timeout_s
        return await self.own.wait_for(sequence, timeout_s) and await self._others_have(sequence, deadline_s)

    async def wait_patiently(self, sequence: int, timeout_s: float) -> bool:
        """As `wait_for`, but nobody hurries for it."""
        deadline_s = time.monotonic() + timeout_s
        return await self.own.wait_patiently(sequence, timeout_s) and await self._others_have(sequence, deadline_s)

    async def tell(self) -> None:
        """Tell the others what this server has applied, from now on, for ever."""
        while True:
            applied = self.own.applied_sequence
            self.replicas.tell(applied)
            await self.own.wait_patiently(applied + 1, TOLD_AGAIN_S)

    async def _others_have(self, sequence: int, deadline_s: float) -> bool:
        """Whether the other servers have reached the sequence when the time is over."""
        while self.replicas.least(sequence) < sequence:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                return False
            await self.replicas.moved(min(left_s, TOLD_AGAIN_S))
        return True
