"""What a failed call to the rag_server means."""

import grpc
from google.rpc import code_pb2, error_details_pb2
from grpc_status import rpc_status

from gateway.domain.entry import Refusal
from serving.status import DOMAIN

DETAILS = "grpc-status-details-bin"
# With these it says that the upload itself is at fault; trying again would end the same way.
REFUSING = frozenset(
    {
        code_pb2.INVALID_ARGUMENT,
        code_pb2.FAILED_PRECONDITION,
        code_pb2.NOT_FOUND,
        code_pb2.OUT_OF_RANGE,
        code_pb2.ALREADY_EXISTS,
    }
)


# What a call ends with where a connection broke, or was given up at the end of a drain, on this hop or the next.
LOST = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.INTERNAL,
    }
)


def is_lost(error: grpc.aio.AioRpcError) -> bool:
    """Whether nobody answered: the connection's fault, not a status that the rag_server chose, which has details."""
    return error.code() in LOST and not any(key == DETAILS for key, _ in error.trailing_metadata())


def refusal_of(error: grpc.aio.AioRpcError) -> Refusal | None:
    """Why the rag_server will never take the upload; None where it may later."""
    code = int(error.code().value[0])
    info = _info_of(error)
    if code not in REFUSING and info.reason != "UPLOAD_TOO_LARGE":
        return None
    return Refusal(code, info.reason or "INVALID_REQUEST", error.details() or "", dict(info.metadata))


def _info_of(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    info = error_details_pb2.ErrorInfo()
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # the stubs know the synchronous Call only
    for detail in status.details if status is not None else ():
        if detail.Is(info.DESCRIPTOR) and detail.Unpack(info) and info.domain == DOMAIN:
            break
    return info
