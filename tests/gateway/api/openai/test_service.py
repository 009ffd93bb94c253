"""OpenAI's shape through a whole gateway, and its errors, which the layers make."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from google.api.httpbody_pb2 import HttpBody

from acervo.gateway.v1 import openai_service_pb2 as pb
from serving.errors import Conflict, Denied, Exhausted, InvalidInput, NotFound, ServiceError, Unauthenticated
from tests.gateway.world import World, a_world


class ModelNotFound(NotFound):
    """No such model."""

    reason = "MODEL_NOT_FOUND"


class RerankerNotConfigured(Conflict):
    """No reranker."""

    reason = "RERANKER_NOT_CONFIGURED"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as made:
        yield made


async def embeddings(world: World, data: bytes) -> tuple[dict[str, str], Any]:
    """The headers for the edge and the answer."""
    call = world.openai.CreateEmbeddings(pb.CreateEmbeddingsRequest(body=HttpBody(data=data)))
    response = await call
    assert response.body.content_type == "application/json"
    return dict(await call.initial_metadata()), json.loads(response.body.data)  # type: ignore[arg-type]  # texts only


async def test_vectors_come_in_openai_s_shape(world: World) -> None:
    headers, told = await embeddings(world, b'{"input": ["a b", "c"], "input_type": "query"}')
    assert [item["embedding"] for item in told["data"]] == [[3, 0, 0.5, 1], [1, 1, 0.5, 1]]
    assert (told["model"], told["usage"]["prompt_tokens"]) == ("bundled", 3)
    assert "x-http-code" not in headers


async def test_results_and_models_do_too(world: World) -> None:
    asked = json.dumps({"query": "q", "documents": ["a", "b"], "return_documents": True}).encode()
    reranked = await world.openai.CreateReranking(pb.CreateRerankingRequest(body=HttpBody(data=asked)))
    assert json.loads(reranked.body.data)["results"][1] == {
        "index": 1,
        "relevance_score": 0.5,
        "document": {"text": "b"},
    }
    models = await world.openai.ListModels(pb.ListModelsRequest())
    assert [model["id"] for model in json.loads(models.body.data)["data"]] == ["bundled"]


@pytest.mark.parametrize(
    ("failure", "http_status", "error"),
    [
        (ModelNotFound(), "404", {"type": "invalid_request_error", "code": "model_not_found", "param": None}),
        (
            InvalidInput("Text 1 is empty.", field="texts[1]"),
            "400",
            {"type": "invalid_request_error", "code": "invalid_request", "param": "input[1]"},
        ),
        (
            RerankerNotConfigured(),
            "400",
            {"type": "invalid_request_error", "code": "reranker_not_configured", "param": None},
        ),
        (Unauthenticated(), "401", {"type": "authentication_error", "code": "internal", "param": None}),
        (Denied(), "403", {"type": "permission_error", "code": "internal", "param": None}),
        (
            Exhausted("Too many.", retry_after_s=5.0),
            "429",
            {"type": "rate_limit_error", "code": "overloaded", "param": None},
        ),
    ],
)
async def test_what_the_rag_server_refuses_is_an_error_of_openai_s(
    world: World, failure: ServiceError, http_status: str, error: dict[str, str | None]
) -> None:
    world.rag_server.failure = failure
    headers, told = await embeddings(world, b'{"input": "a"}')
    assert headers["x-http-code"] == http_status
    assert told == {"error": {"message": failure.message, **error}}
    assert headers.get("retry-after") == ("5" if http_status == "429" else None)


async def test_what_cannot_be_read_is_an_error_of_openai_s(world: World) -> None:
    headers, told = await embeddings(world, b'{"input": [1, 2]}')
    assert (headers["x-http-code"], told["error"]["param"]) == ("400", "input")
    headers, told = await embeddings(world, json.dumps({"input": ["a"] * 2_049}).encode())
    assert (headers["x-http-code"], told["error"]["param"]) == ("400", "input")


async def test_a_fault_of_the_rag_server_is_500(world: World) -> None:
    world.rag_server.failure = ServiceError()
    headers, told = await embeddings(world, b'{"input": "a"}')
    assert headers["x-http-code"] == "500"
    assert told["error"]["type"] == "server_error"


async def test_without_the_rag_server_it_is_503_with_a_time_to_come_back(world: World) -> None:
    await world.rag_server.stop()
    headers, told = await embeddings(world, b'{"input": "a"}')
    assert (headers["x-http-code"], headers["retry-after"]) == ("503", "1")
    assert told["error"]["code"] == "rag_server_unavailable"
