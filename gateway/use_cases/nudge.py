"""Something changed in the outbox: those who wait for that look again."""

import asyncio


class Nudge:
    """Wakes all that wait. A lost nudge only costs them their polling interval: other gateways may change rows, too."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def __call__(self) -> None:
        """Wake all that wait now."""
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, timeout_s: float) -> None:
        """Return at the next nudge, or when the time is over."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        except TimeoutError:
            return
