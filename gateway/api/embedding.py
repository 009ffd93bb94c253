"""EmbeddingService: passed on."""

from acervo.rag.v1 import embedding_service_pb2 as pb
from acervo.rag.v1.embedding_service_pb2_grpc import EmbeddingServiceServicer
from gateway.api.rag_server import RagServer, allowed_s
from serving.interceptors import Context

# A long batch gives way to others again and again; the edge allows 240 s.
BATCH_S = 239.0


class EmbeddingApi(EmbeddingServiceServicer):
    """Serves embeddings and scores."""

    def __init__(self, rag_server: RagServer) -> None:
        self._rag_server = rag_server

    async def Embed(self, request: pb.EmbedRequest, context: Context) -> pb.EmbedResponse:
        stub = self._rag_server.embedding
        return await self._rag_server.ask(stub.Embed, request, allowed_s(context, BATCH_S), again=True, patiently=True)

    async def Rerank(self, request: pb.RerankRequest, context: Context) -> pb.RerankResponse:
        stub = self._rag_server.embedding
        return await self._rag_server.ask(stub.Rerank, request, allowed_s(context, BATCH_S), again=True, patiently=True)

    async def ListModels(self, request: pb.ListModelsRequest, context: Context) -> pb.ListModelsResponse:
        stub = self._rag_server.embedding
        return await self._rag_server.ask(stub.ListModels, request, allowed_s(context), again=True)
