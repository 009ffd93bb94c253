"""The part of the recording gateway that speaks OpenAI's shape."""

from typing import Any, Protocol

import grpc
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.message import Message

from acervo.gateway.v1 import openai_service_pb2 as pb
from acervo.gateway.v1.openai_service_pb2_grpc import OpenAiServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]
BIG_ANSWER_BYTES = 30 << 20
REFUSED = b'{"input": "too long"}'
ERROR = b'{"error": {"message": "Too long."}}'


class Recorded(Protocol):
    """A call that was kept."""

    metadata: dict[str, str]


class Recorder(Protocol):
    """Keeps what was called."""

    def begin(self, name: str, context: Context, *requests: Message) -> Recorded:
        """Keep the beginning of a call."""


class OpenAi(OpenAiServiceServicer):
    def __init__(self, gateway: Recorder) -> None:
        self._gateway = gateway

    async def CreateEmbeddings(
        self, request: pb.CreateEmbeddingsRequest, context: Context
    ) -> pb.CreateEmbeddingsResponse:
        self._gateway.begin("CreateEmbeddings", context, request)
        if request.body.data == REFUSED:
            await context.send_initial_metadata((("x-http-code", "429"), ("retry-after", "5")))
            return pb.CreateEmbeddingsResponse(body=HttpBody(content_type="application/json", data=ERROR))
        body = HttpBody(content_type="application/json", data=b'"' + b"0" * BIG_ANSWER_BYTES + b'"')
        return pb.CreateEmbeddingsResponse(body=body)

    async def CreateReranking(self, request: pb.CreateRerankingRequest, context: Context) -> pb.CreateRerankingResponse:
        call = self._gateway.begin("CreateReranking", context, request)
        call.metadata["time-remaining"] = str(context.time_remaining())
        return pb.CreateRerankingResponse(body=HttpBody(content_type="application/json", data=b"{}"))

    async def ListModels(self, request: pb.ListModelsRequest, context: Context) -> pb.ListModelsResponse:
        self._gateway.begin("ListModels", context, request)
        return pb.ListModelsResponse(body=HttpBody(content_type="application/json", data=b'{"object": "list"}'))
