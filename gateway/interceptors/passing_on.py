"""Statuses of the rag_server go to the client as they came: code, message, details."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc

from serving.interceptors import Call

PASSED = frozenset({"grpc-status-details-bin", "retry-after"})


@asynccontextmanager
async def statuses_passed_on(call: Call) -> AsyncIterator[None]:
    """Ends the call with the status of the call behind it."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        trailing = tuple((key, value) for key, value in error.trailing_metadata() if key in PASSED)
        await call.context.abort(error.code(), error.details() or "", trailing)
