"""A failed call, read into a Failure: from google.rpc.Status where there is one, from the bare status otherwise."""

from typing import TypeVar, cast

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from cli.failure import Failure

M = TypeVar("M", bound=Message)

DETAILS_KEY = "grpc-status-details-bin"
UPLOAD_INCOMPLETE = "UPLOAD_INCOMPLETE"
# What to do, for reasons whose message cannot know that it is read at a terminal.
ADVICE = {
    "JOB_NOT_FOUND": "`acervo jobs list` shows those that there are",
    "DOCUMENT_NOT_FOUND": "`acervo documents list` shows those that there are",
    "COLLECTION_NOT_FOUND": "`acervo collections list` shows those that there are",
    "RAG_SERVER_UNAVAILABLE": "`acervo health` says more",
    "NOT_READY": "`acervo health` says more",
}
PASSING_CODES = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})
# A connection that breaks under a call shows itself as one of these, without an ErrorInfo.
BROKEN_CODES = frozenset(
    {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED, grpc.StatusCode.ABORTED}
)


def read_refusal(error: grpc.RpcError, server: str) -> Failure:
    """The failure that a call to `server` (host:port) ended with."""
    call = cast("grpc.Call", error)  # what a stub raises is both
    code = call.code()
    status = _status(call)
    info = _detail(status, error_details_pb2.ErrorInfo())
    if info is None:
        return _without_details(code, _one_line(call.details() or ""), server)
    message = status.message or call.details() or info.reason
    retry = _detail(status, error_details_pb2.RetryInfo())
    return Failure(
        _with_advice(_one_line(message), info.reason, status),
        reason=info.reason,
        passing=_is_passing(code, info.reason, retry),
        retry_after_s=retry.retry_delay.ToTimedelta().total_seconds() if retry else 0.0,
    )


def reason_of(status: status_pb2.Status) -> str:
    """The reason in a status' ErrorInfo; empty where it has none."""
    info = _detail(status, error_details_pb2.ErrorInfo())
    return "" if info is None else str(info.reason)


def unreachable(server: str) -> Failure:
    """Nothing answers at the address."""
    message = f"cannot reach the server at {server}: start it with `acervo up`, or name another with --server"
    return Failure(message, reason="UNREACHABLE", passing=True)


def _without_details(code: grpc.StatusCode, details: str, server: str) -> Failure:
    if code is grpc.StatusCode.UNAVAILABLE:
        return unreachable(server)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return Failure(f"the server at {server} did not answer in time: try again", "DEADLINE_EXCEEDED", passing=True)
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return Failure(f"what listens at {server} is not an Acervo server of this release", reason="UNIMPLEMENTED")
    said = f" ({details})" if details else ""
    message = f"the call to {server} ended with {code.name}{said}"
    return Failure(message, reason=code.name, passing=code in BROKEN_CODES)


def _is_passing(code: grpc.StatusCode, reason: str, retry: error_details_pb2.RetryInfo | None) -> bool:
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return reason == "OVERLOADED" and retry is not None
    return code in PASSING_CODES or reason == UPLOAD_INCOMPLETE


def _with_advice(message: str, reason: str, status: status_pb2.Status) -> str:
    request = _detail(status, error_details_pb2.RequestInfo())
    advice = ADVICE.get(reason, "")
    if reason == "INTERNAL" and request is not None:
        advice = f"request id {request.request_id}"
    return f"{message} ({advice})" if advice else message


def _status(call: grpc.Call) -> status_pb2.Status:
    # Read by hand: grpc_status refuses a status whose message differs from the call's, and Envoy's may.
    status = status_pb2.Status()
    for key, value in call.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                status.ParseFromString(value)
            except DecodeError:
                status.Clear()
    return status


def _detail(status: status_pb2.Status, into: M) -> M | None:
    return next((into for packed in status.details if packed.Unpack(into)), None)


def _one_line(text: str) -> str:
    return " ".join(text.split())
