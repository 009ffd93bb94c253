"""The part of the rag_server's stand-in that embeds: a text's vector is its length and its place."""

from typing import Protocol

from acervo.rag.v1 import embedding_service_pb2 as pb
from acervo.rag.v1 import model_pb2
from acervo.rag.v1.embedding_service_pb2_grpc import EmbeddingServiceServicer
from serving.errors import ServiceError
from serving.interceptors import Context


class Failing(Protocol):
    """What a test makes the calls fail with."""

    failure: ServiceError | None


class EmbeddingStandIn(EmbeddingServiceServicer):
    def __init__(self, state: Failing) -> None:
        self._state = state

    async def Embed(self, request: pb.EmbedRequest, _context: Context) -> pb.EmbedResponse:
        if self._state.failure is not None:
            raise self._state.failure
        texts = list(request.texts) or [request.text]
        embeddings = [
            pb.Embedding(values=[len(text), place, 0.5, float(request.kind)], token_count=len(text.split()))
            for place, text in enumerate(texts)
        ]
        tokens = sum(embedding.token_count for embedding in embeddings)
        return pb.EmbedResponse(embeddings=embeddings, model="bundled", dimensions=4, token_count=tokens)

    async def Rerank(self, request: pb.RerankRequest, _context: Context) -> pb.RerankResponse:
        if self._state.failure is not None:
            raise self._state.failure
        kept = request.documents if request.return_documents else [""] * len(request.documents)
        results = [
            pb.RerankResult(index=place, relevance_score=1 / (1 + place), document=document)
            for place, document in enumerate(kept)
        ]
        return pb.RerankResponse(results=results[: request.top_n or None], model="words", token_count=5)

    async def ListModels(self, _request: pb.ListModelsRequest, _context: Context) -> pb.ListModelsResponse:
        kind = model_pb2.MODEL_KIND_EMBEDDER
        model = model_pb2.Model(name="bundled", kind=kind, dimensions=4, max_tokens=512, fingerprint="f")
        return pb.ListModelsResponse(models=[model])
