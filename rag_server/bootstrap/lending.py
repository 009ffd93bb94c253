"""Puts together what lends the models to other programs."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from rag_server.adapters.fastembed.cross_encoders import resolve_reranker
from rag_server.adapters.fastembed.embedder import FastembedEmbedder
from rag_server.adapters.fastembed.models import ModelFolder
from rag_server.adapters.fastembed.reranker import FastembedReranker
from rag_server.api.embedding import EmbeddingApi
from rag_server.domain.model import ModelUse, ServedModel, TextKind
from rag_server.model_ports import Reranker
from rag_server.settings import Settings
from rag_server.use_cases.embedding import Embedding
from rag_server.use_cases.reranking import Reranking
from rag_server.use_cases.taking_turns import TakingTurns


def open_reranker(settings: Settings) -> FastembedReranker | None:
    """The configured reranker, with one thread; None where there is none. Raises ModelError."""
    if not settings.reranker:
        return None
    return FastembedReranker(resolve_reranker(settings.reranker, settings.models_folder), threads=1)


@contextmanager
def lending(model: ModelFolder, embedder: FastembedEmbedder, reranker: Reranker | None) -> Iterator[EmbeddingApi]:
    """The service, until the block ends. It has a thread apart from those of searches."""
    served = ServedModel(
        name=model.name,
        use=ModelUse.EMBEDDER,
        dimensions=embedder.dimensions,
        max_tokens=embedder.tokenizer.max_tokens,
        fingerprint=embedder.fingerprint,
        min_dimensions=embedder.min_dimensions,
    )
    windows = {TextKind.PASSAGE: embedder.tokenizer.max_tokens, TextKind.QUERY: embedder.max_query_tokens}
    with ThreadPoolExecutor(1, thread_name_prefix="lend") as executor:
        turns = TakingTurns(executor)
        embedding = Embedding(served, embedder, embedder.tokenizer, windows, turns)
        yield EmbeddingApi(embedding, Reranking(reranker, turns))
