"""Failures of the calls that speak OpenAI's shape: an answer that tells the error, and the HTTP status beside it."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from google.api import httpbody_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from acervo.gateway.v1 import openai_service_pb2 as pb
from serving import logs, status, trace
from serving.errors import ServiceError
from serving.interceptors import Context

LOG = logs.get(__name__)
SERVICE = "/acervo.gateway.v1.OpenAiService"
ANSWERS: dict[str, Callable[..., Message]] = {
    f"{SERVICE}/CreateEmbeddings": pb.CreateEmbeddingsResponse,
    f"{SERVICE}/CreateReranking": pb.CreateRerankingResponse,
    f"{SERVICE}/ListModels": pb.ListModelsResponse,
}
# HTTP status and OpenAI's type of the error; everything else is the server's fault.
KINDS = {
    code_pb2.INVALID_ARGUMENT: (400, "invalid_request_error"),
    code_pb2.FAILED_PRECONDITION: (400, "invalid_request_error"),
    code_pb2.UNAUTHENTICATED: (401, "authentication_error"),
    code_pb2.PERMISSION_DENIED: (403, "permission_error"),
    code_pb2.NOT_FOUND: (404, "invalid_request_error"),
    code_pb2.RESOURCE_EXHAUSTED: (429, "rate_limit_error"),
    code_pb2.UNAVAILABLE: (503, "server_error"),
}
FAULT = (500, "server_error")


class OpenAiErrors(grpc.aio.ServerInterceptor):
    """Not a layer as the others are: where the call fails it has an answer of its own."""

    async def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        handler: Any = await continuation(handler_call_details)
        answer = ANSWERS.get(handler_call_details.method)
        if handler is None or answer is None:
            return handler
        inner = handler.unary_unary

        async def behaviour(request: Message, context: Context) -> Message:
            try:
                response: Message = await inner(request, context)
            except ServiceError as error:
                told = status.to_status(error, trace.current().request_id)
                return await _answer(answer, told, context)
            except grpc.aio.AioRpcError as error:
                return await _answer(answer, _passed_on(error), context)
            except Exception:
                LOG.exception("call failed", method=handler_call_details.method)
                return await _answer(answer, status.internal_status(trace.current().request_id), context)
            return response

        return handler._replace(unary_unary=behaviour)


async def _answer(answer: Callable[..., Message], told: status_pb2.Status, context: Context) -> Message:
    http_status, kind = KINDS.get(told.code, FAULT)
    reason, field, delay_s = _details(told)
    LOG.info("told in OpenAI's shape", http_status=http_status, reason=reason)
    headers = [("x-http-code", str(http_status))]  # the edge turns it into the HTTP status
    if delay_s:
        headers.append(("retry-after", str(delay_s)))
    await context.send_initial_metadata(tuple(headers))
    error = {"message": told.message, "type": kind, "param": field or None, "code": reason.lower() or None}
    data = json.dumps({"error": error}, ensure_ascii=False).encode()
    return answer(body=httpbody_pb2.HttpBody(content_type="application/json", data=data))


def _details(told: status_pb2.Status) -> tuple[str, str, int]:
    """The reason, the field that is at fault as OpenAI's clients know it, and after how many seconds to try again."""
    reason, field, delay_s = "", "", 0
    for detail in told.details:
        info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            reason = info.reason
        elif detail.Unpack(bad) and bad.field_violations:
            field = bad.field_violations[0].field
        elif detail.Unpack(retry):
            delay_s = max(1, retry.retry_delay.seconds)
    # The rag_server's name for what is `input` here.
    return reason, "input" + field.removeprefix("texts") if field.startswith("texts") else field, delay_s


def _passed_on(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    told: status_pb2.Status | None = rpc_status.from_call(error)  # type: ignore[arg-type]  # stubs for sync only
    if told is not None:
        return told
    return status_pb2.Status(code=error.code().value[0], message=error.details() or "")
