"""The one translation of errors into google.rpc.Status."""

import math

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details
from google.rpc import status_pb2

from serving import errors

DOMAIN = "acervo"

CODES: dict[type[errors.ServiceError], grpc.StatusCode] = {
    errors.InvalidInput: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.Conflict: grpc.StatusCode.FAILED_PRECONDITION,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.Denied: grpc.StatusCode.PERMISSION_DENIED,
    errors.Exhausted: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
}


def code_of(error: errors.ServiceError) -> grpc.StatusCode:
    """The status code of an error: that of its kind."""
    for kind in type(error).__mro__:
        if kind in CODES:
            return CODES[kind]
    return grpc.StatusCode.INTERNAL


def to_status(error: errors.ServiceError, request_id: str) -> status_pb2.Status:
    """The status that a client gets: one ErrorInfo, the standard detail of the kind, and the request's id."""
    info = details.ErrorInfo(domain=DOMAIN, reason=error.reason, metadata=error.metadata)
    return make_status(code_of(error), error.message, info, *_kind_details(error), request_info(request_id))


def internal_status(request_id: str) -> status_pb2.Status:
    """The status for what must not be told: only the request's id leads to the cause."""
    info = details.ErrorInfo(domain=DOMAIN, reason="INTERNAL")
    message = "The server failed on this request; its operator finds the cause by the request id."
    return make_status(grpc.StatusCode.INTERNAL, message, info, request_info(request_id))


def make_status(code: grpc.StatusCode, message: str, *parts: Message) -> status_pb2.Status:
    """A status with details packed in the given order."""
    status = status_pb2.Status(code=code.value[0], message=message)
    for part in parts:
        status.details.add().Pack(part)
    return status


def request_info(request_id: str) -> details.RequestInfo:
    """The detail that names the request."""
    return details.RequestInfo(request_id=request_id)


def retry_after_s(error: errors.ServiceError) -> float | None:
    """When trying again may help; None where it does not."""
    return error.retry_after_s if isinstance(error, errors.Exhausted | errors.Unavailable) else None


def _kind_details(error: errors.ServiceError) -> list[Message]:
    parts: list[Message] = []
    if isinstance(error, errors.InvalidInput) and error.field:
        violation = details.BadRequest.FieldViolation(field=error.field, description=error.message)
        parts.append(details.BadRequest(field_violations=[violation]))
    if isinstance(error, errors.NotFound) and error.name:
        parts.append(details.ResourceInfo(resource_name=error.name, description=error.message))
    if isinstance(error, errors.Conflict):
        violated = details.PreconditionFailure.Violation(type=error.reason, description=error.message)
        parts.append(details.PreconditionFailure(violations=[violated]))
    if isinstance(error, errors.Exhausted):
        quota = details.QuotaFailure.Violation(subject=error.reason, description=error.message)
        parts.append(details.QuotaFailure(violations=[quota]))
    delay_s = retry_after_s(error)
    if delay_s is not None:
        seconds = math.floor(delay_s)
        parts.append(details.RetryInfo(retry_delay=Duration(seconds=seconds, nanos=int((delay_s - seconds) * 1e9))))
    return parts
