"""Embeddings and scores are passed on."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from acervo.rag.v1 import embedding_service_pb2 as pb
from serving.errors import Exhausted
from tests.gateway.world import World, a_world, refused


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as made:
        yield made


async def test_texts_documents_and_models_go_through(world: World) -> None:
    embedded = await world.embedding.Embed(pb.EmbedRequest(texts=["a", "bcd"]))
    assert [list(embedding.values)[:2] for embedding in embedded.embeddings] == [[1, 0], [3, 1]]
    reranked = await world.embedding.Rerank(pb.RerankRequest(query="a", documents=["b", "c"], top_n=1))
    assert [result.index for result in reranked.results] == [0]
    assert [model.name for model in (await world.embedding.ListModels(pb.ListModelsRequest())).models] == ["bundled"]


async def test_what_the_rag_server_refuses_comes_back_as_it_said(world: World) -> None:
    world.rag_server.failure = Exhausted("Too many batches.", retry_after_s=5.0)
    refusal = await refused(world.embedding.Embed(pb.EmbedRequest(text="a")))
    assert refusal == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")


@pytest.mark.parametrize(
    "request_", [pb.RerankRequest(query="a"), pb.RerankRequest(query="a", documents=["b"] * 1_001)]
)
async def test_what_breaks_the_contract_is_refused_here(world: World, request_: pb.RerankRequest) -> None:
    assert await refused(world.embedding.Rerank(request_)) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
