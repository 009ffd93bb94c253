"""What Envoy says when it answers itself: google.rpc.Status, or OpenAI's shape on its paths, as the gateway would."""

import base64
from dataclasses import dataclass
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, status_pb2
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo

DOMAIN = "acervo"
RETRY_S = 1
FIRST_SERVER_FAULT = 500
ENVOYS_WORDS = "%LOCAL_REPLY_BODY%"


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one HTTP status of Envoy's, or only to those of its cases that carry one of `flags`."""

    http: int
    code: int
    reason: str
    message: str
    retry: bool = False
    flags: tuple[str, ...] = ()


OPENAI_PATHS = "/v1/"
BUSY = "The server is at its limits; try again."
AWAY = "The server is starting, stopping or out of reach; try again."
REPLIES = [
    # The transcoder's own words say which field or parameter is wrong.
    Reply(400, code_pb2.INVALID_ARGUMENT, "INVALID_REQUEST", ENVOYS_WORDS),
    Reply(404, code_pb2.NOT_FOUND, "ROUTE_NOT_FOUND", "Nothing answers to this method at this path."),
    Reply(408, code_pb2.DEADLINE_EXCEEDED, "UPLOAD_INCOMPLETE", "The request stopped before its end."),
    Reply(413, code_pb2.RESOURCE_EXHAUSTED, "UPLOAD_TOO_LARGE", "The body is larger than this path takes."),
    Reply(429, code_pb2.RESOURCE_EXHAUSTED, "OVERLOADED", BUSY, retry=True),
    Reply(431, code_pb2.INVALID_ARGUMENT, "INVALID_REQUEST", "The path and the headers are too long."),
    Reply(500, code_pb2.INTERNAL, "INTERNAL", "The edge failed on this request."),
    Reply(502, code_pb2.UNAVAILABLE, "NOT_READY", AWAY, retry=True),
    Reply(503, code_pb2.UNAVAILABLE, "OVERLOADED", BUSY, retry=True, flags=("UO", "OM")),
    Reply(503, code_pb2.UNAVAILABLE, "NOT_READY", AWAY, retry=True),
    Reply(504, code_pb2.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", "The server did not answer in the time allowed."),
]


def local_replies() -> dict[str, Any]:
    """Mappers in the order in which Envoy tries them, and the form of everything else."""
    mappers = [
        mapper for reply in REPLIES for mapper in (_for_grpc(reply), _for_openai_clients(reply), _for_rest(reply))
    ]
    other = Reply(0, code_pb2.UNKNOWN, "INTERNAL", ENVOYS_WORDS)
    return {"mappers": mappers, "body_format": _json_body(other)}


def _for_grpc(reply: Reply) -> dict[str, Any]:
    # Without this a native client would get the JSON text as its message, and a status guessed from the HTTP one.
    native = [
        _header_filter({"name": "content-type", "string_match": {"prefix": "application/grpc"}}),
        _header_filter({"name": "x-envoy-original-path", "present_match": True, "invert_match": True}),
    ]
    details = {"grpc-status-details-bin": _packed(reply)}
    return {
        "filter": {"and_filter": {"filters": [*_case_filters(reply), *native]}},
        "headers_to_add": _headers(reply, details),
        "body_format_override": {"text_format_source": {"inline_string": reply.message}},
    }


def _for_openai_clients(reply: Reply) -> dict[str, Any]:
    # The path as it came: it stands in the first before the request is transcoded, and in the second afterwards.
    came = [
        _header_filter({"name": name, "string_match": {"prefix": OPENAI_PATHS}})
        for name in (":path", "x-envoy-original-path")
    ]
    fault = "invalid_request_error" if reply.http < FIRST_SERVER_FAULT else "server_error"
    kind = "rate_limit_error" if reply.code == code_pb2.RESOURCE_EXHAUSTED and reply.retry else fault
    error = {"message": reply.message, "type": kind, "param": None, "code": reply.reason.lower()}
    return {
        "filter": {"and_filter": {"filters": [*_case_filters(reply), {"or_filter": {"filters": came}}]}},
        "headers_to_add": _headers(reply, {}),
        "body_format_override": {"content_type": "application/json", "json_format": {"error": error}},
    }


def _for_rest(reply: Reply) -> dict[str, Any]:
    filters = _case_filters(reply)
    return {
        "filter": filters[0] if len(filters) == 1 else {"and_filter": {"filters": filters}},
        "headers_to_add": _headers(reply, {}),
        "body_format_override": _json_body(reply),
    }


def _case_filters(reply: Reply) -> list[dict[str, Any]]:
    status = {"default_value": reply.http, "runtime_key": f"edge.reply_{reply.http}"}
    filters: list[dict[str, Any]] = [{"status_code_filter": {"comparison": {"op": "EQ", "value": status}}}]
    if reply.flags:
        filters.append({"response_flag_filter": {"flags": list(reply.flags)}})
    return filters


def _json_body(reply: Reply) -> dict[str, Any]:
    info: dict[str, Any] = {"reason": reply.reason, "domain": DOMAIN, "metadata": {}}
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", **info}]
    details.append({"@type": "type.googleapis.com/google.rpc.RequestInfo", "request_id": "%REQ(X-REQUEST-ID)%"})
    if reply.retry:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retry_delay": f"{RETRY_S}s"})
    body = {"code": reply.code, "message": reply.message, "details": details}
    return {"content_type": "application/json", "json_format": body}


def _packed(reply: Reply) -> str:
    # Envoy's words are known only when it speaks; the call's own message has them.
    message = "" if reply.message == ENVOYS_WORDS else reply.message
    status = status_pb2.Status(code=reply.code, message=message)
    status.details.add().Pack(ErrorInfo(reason=reply.reason, domain=DOMAIN))
    if reply.retry:
        status.details.add().Pack(RetryInfo(retry_delay=Duration(seconds=RETRY_S)))
    return base64.b64encode(status.SerializeToString(deterministic=True)).decode().rstrip("=")


def _headers(reply: Reply, more: dict[str, str]) -> list[dict[str, Any]]:
    retry_after = {"retry-after": str(RETRY_S)} if reply.retry else {}
    values = {"grpc-status": str(reply.code), **retry_after, **more}
    action = "OVERWRITE_IF_EXISTS_OR_ADD"
    return [{"header": {"key": key, "value": value}, "append_action": action} for key, value in values.items()]


def _header_filter(header: dict[str, Any]) -> dict[str, Any]:
    return {"header_filter": {"header": header}}
