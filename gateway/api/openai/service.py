"""OpenAiService: EmbeddingService in the shape that OpenAI's clients know. Errors get theirs in the layers."""

import asyncio

from google.api import httpbody_pb2

from acervo.gateway.v1 import openai_service_pb2 as pb
from acervo.gateway.v1.openai_service_pb2_grpc import OpenAiServiceServicer
from acervo.rag.v1 import embedding_service_pb2
from gateway.api.embedding import BATCH_S
from gateway.api.openai import answers, questions
from gateway.api.rag_server import RagServer, allowed_s
from serving.interceptors import Context
from serving.layers import valid_request


class OpenAiApi(OpenAiServiceServicer):
    """Serves OpenAI's clients. Large texts and numbers are taken apart and put together in a thread."""

    def __init__(self, rag_server: RagServer) -> None:
        self._rag_server = rag_server

    async def CreateEmbeddings(
        self, request: pb.CreateEmbeddingsRequest, context: Context
    ) -> pb.CreateEmbeddingsResponse:
        question = await asyncio.to_thread(questions.embed_question, request.body.data)
        valid_request(question.request)
        stub, own_s = self._rag_server.embedding, allowed_s(context, BATCH_S)
        response = await self._rag_server.ask(stub.Embed, question.request, own_s, again=True, patiently=True)
        data = await asyncio.to_thread(answers.embeddings, response, as_base64=question.as_base64)
        return pb.CreateEmbeddingsResponse(body=_json(data))

    async def CreateReranking(self, request: pb.CreateRerankingRequest, context: Context) -> pb.CreateRerankingResponse:
        question = await asyncio.to_thread(questions.rerank_request, request.body.data)
        valid_request(question)
        stub, own_s = self._rag_server.embedding, allowed_s(context, BATCH_S)
        response = await self._rag_server.ask(stub.Rerank, question, own_s, again=True, patiently=True)
        return pb.CreateRerankingResponse(body=_json(answers.reranking(response, told=question.return_documents)))

    async def ListModels(self, _request: pb.ListModelsRequest, context: Context) -> pb.ListModelsResponse:
        asked = embedding_service_pb2.ListModelsRequest()
        stub = self._rag_server.embedding
        response = await self._rag_server.ask(stub.ListModels, asked, allowed_s(context), again=True)
        return pb.ListModelsResponse(body=_json(answers.models(response)))


def _json(data: bytes) -> httpbody_pb2.HttpBody:
    return httpbody_pb2.HttpBody(content_type="application/json", data=data)
