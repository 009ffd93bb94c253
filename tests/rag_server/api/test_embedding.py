"""Embeddings and scores over the wire, with the bundled model."""

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import grpc
import numpy as np
import pytest

from acervo.rag.v1 import embedding_service_pb2 as pb
from acervo.rag.v1 import model_pb2
from acervo.rag.v1.embedding_service_pb2_grpc import EmbeddingServiceStub, add_EmbeddingServiceServicer_to_server
from rag_server.adapters.fastembed.embedder import FastembedEmbedder
from rag_server.adapters.fastembed.models import BUNDLED, BUNDLED_FOLDER, ModelFolder
from rag_server.bootstrap.lending import lending
from rag_server.model_ports import Reranker
from serving.interceptors import Around, Checked
from serving.layers import errors_to_status, identified, valid_request
from serving.server import bind
from tests.fakes.word_reranker import WordReranker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from acervo.rag.v1.embedding_service_pb2_grpc import EmbeddingServiceAsyncStub

FOLDER = ModelFolder(BUNDLED, BUNDLED_FOLDER, None)


@pytest.fixture(scope="module")
def embedder() -> FastembedEmbedder:
    return FastembedEmbedder(FOLDER, threads=1)


@pytest.fixture
async def embedding(embedder: FastembedEmbedder) -> "AsyncIterator[EmbeddingServiceAsyncStub]":
    async with served(embedder, None) as stub:
        yield stub


@asynccontextmanager
async def served(embedder: FastembedEmbedder, reranker: Reranker | None) -> "AsyncIterator[EmbeddingServiceAsyncStub]":
    server = bind("127.0.0.1:0", [Around(identified), Around(errors_to_status), Checked(valid_request)], [])
    with lending(FOLDER, embedder, reranker) as service:
        add_EmbeddingServiceServicer_to_server(service, server.grpc)
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            yield EmbeddingServiceStub(channel)
        await server.stop(drain_s=0, grace_s=0)


async def test_one_text_and_many_give_the_vectors_that_searches_use(
    embedding: "EmbeddingServiceAsyncStub", embedder: FastembedEmbedder
) -> None:
    one = await embedding.Embed(pb.EmbedRequest(text="um contrato"))
    many = await embedding.Embed(pb.EmbedRequest(texts=["um contrato", "uma licitação pública"], model="bundled"))
    expected = embedder.embed_passages(["um contrato", "uma licitação pública"])
    assert np.allclose([each.values for each in many.embeddings], expected, atol=1e-6)
    assert np.allclose(one.embeddings[0].values, expected[0], atol=1e-6)
    assert (many.model, many.dimensions) == ("bundled", 256)
    assert many.token_count == sum(each.token_count for each in many.embeddings) >= 5


async def test_a_long_text_is_an_error_unless_it_may_be_cut(embedding: "EmbeddingServiceAsyncStub") -> None:
    long = "licitação " * 2_000
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await embedding.Embed(pb.EmbedRequest(texts=["curto", long]))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "Text 1 is longer than the 512 tokens" in str(refused.value.details())
    cut = await embedding.Embed(pb.EmbedRequest(texts=["curto", long], truncate=True))
    assert [each.truncated for each in cut.embeddings] == [False, True]
    assert cut.embeddings[1].token_count == 512


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (pb.EmbedRequest(), grpc.StatusCode.INVALID_ARGUMENT),
        (pb.EmbedRequest(text="a", texts=["b"]), grpc.StatusCode.INVALID_ARGUMENT),
        (pb.EmbedRequest(texts=["a"] * 2_049), grpc.StatusCode.INVALID_ARGUMENT),
        (pb.EmbedRequest(text="a", dimensions=128), grpc.StatusCode.INVALID_ARGUMENT),
        (pb.EmbedRequest(text="a", model="other"), grpc.StatusCode.NOT_FOUND),
    ],
)
async def test_what_cannot_be_done_is_refused(
    embedding: "EmbeddingServiceAsyncStub", request_: pb.EmbedRequest, code: grpc.StatusCode
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await embedding.Embed(request_)
    assert refused.value.code() is code


async def test_2048_texts_are_one_request(embedding: "EmbeddingServiceAsyncStub") -> None:
    response = await embedding.Embed(pb.EmbedRequest(texts=[f"texto {n}" for n in range(2_048)]))
    assert len(response.embeddings) == 2_048


async def test_reranking_without_a_reranker_says_what_to_set(embedding: "EmbeddingServiceAsyncStub") -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await embedding.Rerank(pb.RerankRequest(query="a", documents=["b"]))
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "ACERVO_RERANKER" in str(refused.value.details())


async def test_the_models_are_listed(embedding: "EmbeddingServiceAsyncStub", embedder: FastembedEmbedder) -> None:
    (model,) = (await embedding.ListModels(pb.ListModelsRequest())).models
    assert (model.name, model.kind, model.dimensions, model.max_tokens) == (
        "bundled",
        model_pb2.MODEL_KIND_EMBEDDER,
        256,
        512,
    )
    assert (model.fingerprint, model.min_dimensions) == (embedder.fingerprint, 0)


async def test_scores_come_with_the_documents_that_were_asked_for(embedder: FastembedEmbedder) -> None:
    async with served(embedder, WordReranker()) as embedding:
        request = pb.RerankRequest(query="lei nova", documents=["nada", "lei"], top_n=1, return_documents=True)
        (result,) = (await embedding.Rerank(request)).results
        assert (result.index, result.relevance_score, result.document) == (1, 0.5, "lei")
        bare = await embedding.Rerank(pb.RerankRequest(query="lei", documents=["lei"]))
        assert (bare.results[0].document, bare.model) == ("", "words")
        kinds = [model.kind for model in (await embedding.ListModels(pb.ListModelsRequest())).models]
    assert kinds == [model_pb2.MODEL_KIND_EMBEDDER, model_pb2.MODEL_KIND_RERANKER]
