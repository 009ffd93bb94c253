"""EmbeddingService: lends the holding's models to other programs."""

import asyncio

from acervo.rag.v1 import embedding_service_pb2 as pb
from acervo.rag.v1 import model_pb2
from acervo.rag.v1.embedding_service_pb2_grpc import EmbeddingServiceServicer
from rag_server.domain.model import Embedded, EmbedOrder, Reranked, RerankOrder, ServedModel, TextKind
from rag_server.use_cases.embedding import Embedding
from rag_server.use_cases.reranking import Reranking
from serving.errors import InvalidInput
from serving.interceptors import Context

KINDS = {
    pb.TEXT_KIND_UNSPECIFIED: TextKind.PASSAGE,
    pb.TEXT_KIND_QUERY: TextKind.QUERY,
    pb.TEXT_KIND_PASSAGE: TextKind.PASSAGE,
}


class EmbeddingApi(EmbeddingServiceServicer):
    """Serves embeddings and scores."""

    def __init__(self, embedding: Embedding, reranking: Reranking) -> None:
        self._embedding = embedding
        self._reranking = reranking

    async def Embed(self, request: pb.EmbedRequest, _context: Context) -> pb.EmbedResponse:
        if request.text and request.texts:
            raise InvalidInput("Give either text or texts.", field="texts")
        order = EmbedOrder(
            texts=(request.text,) if request.text else tuple(request.texts),
            model=request.model,
            kind=KINDS[request.kind],
            truncate=request.truncate,
            dimensions=request.dimensions,
        )
        # In a thread: a large answer takes long enough to be noticed by searches.
        return await asyncio.to_thread(_embedded, await self._embedding.embed(order))

    async def Rerank(self, request: pb.RerankRequest, _context: Context) -> pb.RerankResponse:
        order = RerankOrder(request.query, tuple(request.documents), request.model, request.top_n)
        told = order.documents if request.return_documents else ()
        return _reranked(await self._reranking.rerank(order), told)

    async def ListModels(self, _request: pb.ListModelsRequest, _context: Context) -> pb.ListModelsResponse:
        models = [self._embedding.model, *self._reranking.models]
        return pb.ListModelsResponse(models=[_model(model) for model in models])


def _embedded(value: Embedded) -> pb.EmbedResponse:
    parts = zip(value.vectors, value.token_counts.tolist(), value.truncated.tolist(), strict=True)
    return pb.EmbedResponse(
        embeddings=[
            pb.Embedding(values=vector.tolist(), token_count=tokens, truncated=truncated)
            for vector, tokens, truncated in parts
        ],
        model=value.model,
        dimensions=value.vectors.shape[1],
        token_count=int(value.token_counts.sum()),
    )


def _reranked(value: Reranked, documents: tuple[str, ...]) -> pb.RerankResponse:
    results = [
        pb.RerankResult(index=place, relevance_score=score, document=documents[place] if documents else "")
        for place, score in zip(value.places.tolist(), value.scores.tolist(), strict=True)
    ]
    return pb.RerankResponse(results=results, model=value.model, token_count=value.token_count)


def _model(value: ServedModel) -> model_pb2.Model:
    return model_pb2.Model(
        name=value.name,
        kind=model_pb2.ModelKind.Value(f"MODEL_KIND_{value.use}"),
        dimensions=value.dimensions,
        max_tokens=value.max_tokens,
        fingerprint=value.fingerprint,
        min_dimensions=value.min_dimensions,
    )
