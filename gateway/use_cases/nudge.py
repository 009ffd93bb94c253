"""Something changed in the outbox: those who wait for that look again."""

import asyncio


class Nudge:
    """Wakes all that wait. A lost nudge only costs them their polling interval: other gateways may change rows, too."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def __call__(self) -> None:
        """Wake all that hold a ticket."""
        self._event.set()
        self._event = asyncio.Event()

    def ticket(self) -> asyncio.Event:
        """To be drawn before looking, so that what changes during the look is not missed."""
        return self._event

    async def wait(self, ticket: asyncio.Event, timeout_s: float) -> None:
        """Return at the first nudge since the ticket was drawn, or when the time is over."""
        try:
            async with asyncio.timeout(timeout_s):
                await ticket.wait()
        except TimeoutError:
            return
