"""The layers that every service has: who asks, what happened, and what the client is told."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import grpc
import protovalidate
from google.protobuf.message import Message
from grpc_status import rpc_status

from serving import logs, status, trace
from serving.errors import InvalidInput, ServiceError
from serving.interceptors import Call, Context

LOG = logs.get(__name__)
QUIET = ("/grpc.health.v1.Health/", "/grpc.reflection.")


@asynccontextmanager
async def identified(call: Call) -> AsyncIterator[None]:
    """Takes over the request's id and trace, or begins them; everything below sees them."""
    metadata = {key: value for key, value in call.context.invocation_metadata() or () if isinstance(value, str)}
    token = trace.CURRENT.set(trace.begin(metadata.get("x-request-id", ""), metadata.get("traceparent", "")))
    try:
        yield
    finally:
        # A stream that its client left is closed from another context; there is nothing to restore there.
        try:
            trace.CURRENT.reset(token)
        except ValueError:
            trace.CURRENT.set(None)


@asynccontextmanager
async def access_logged(call: Call) -> AsyncIterator[None]:
    """One line per call: method, code, milliseconds. Never its content."""
    begin = time.perf_counter()
    try:
        yield
    finally:
        if not call.method.startswith(QUIET):
            ms = round((time.perf_counter() - begin) * 1000, 2)
            code = call.context.code()
            LOG.info("call", method=call.method, code=_code_name(code, call.context), ms=ms)


@asynccontextmanager
async def errors_to_status(call: Call) -> AsyncIterator[None]:
    """Tells the client what it may know; what it may not is logged and becomes INTERNAL."""
    try:
        yield
    except (grpc.aio.AbortError, grpc.RpcError):
        raise
    except Exception as error:  # noqa: BLE001 - told or logged
        told = told_of(error, call.method)
        await call.context.abort(told.code, told.details, told.trailing_metadata)


@dataclass(frozen=True, slots=True)
class Told:
    """The status that a call ends with."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, str | bytes], ...]


def told_of(error: Exception, method: str) -> Told:
    """What the client of a call may know of the error that ended it. What it may not know is logged here."""
    request_id = trace.current().request_id
    if not isinstance(error, ServiceError):
        LOG.error("call failed", method=method, exc_info=error)
        return _told(status.internal_status(request_id))
    told = _told(status.to_status(error, request_id))
    trailing = list(told.trailing_metadata)
    retry_after_s = status.retry_after_s(error)
    if retry_after_s is not None:
        # Through the edge this becomes the HTTP header of the same name.
        trailing.append(("retry-after", str(max(1, round(retry_after_s)))))
    if error.http_code is not None:
        trailing.append(("x-http-error-code", str(error.http_code)))  # for the edge, which takes it away
    return replace(told, trailing_metadata=tuple(trailing))


def _told(message: Message) -> Told:
    converted = rpc_status.to_status(message)
    return Told(converted.code, converted.details, converted.trailing_metadata)


def valid_request(message: Message) -> None:
    """Holds a message against the rules in its contract. Raises InvalidInput for the first one that it breaks."""
    try:
        protovalidate.validate(message, fail_fast=True)
    except protovalidate.ValidationError as error:
        violation = error.violations[0].proto
        elements = violation.field.elements if violation.field else ()
        path = ".".join(element.field_name or "" for element in elements)
        raise InvalidInput(f"{path or 'request'}: {violation.message}", field=path) from error


def _code_name(code: object, context: Context) -> str:
    if isinstance(code, grpc.StatusCode):
        return code.name
    if context.cancelled():
        return "CANCELLED"
    return "OK" if code in (None, 0) else str(code)
