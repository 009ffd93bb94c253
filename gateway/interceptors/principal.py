"""Who asks: today everybody is the same anonymous principal of a server that is open."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.domain.principal import ANONYMOUS, CURRENT
from serving.interceptors import Call


@asynccontextmanager
async def authenticated(_call: Call) -> AsyncIterator[None]:
    """Sets the principal of the call; everything below sees it."""
    CURRENT.set(ANONYMOUS)  # a call's own context ends with it
    yield
