"""OpenAI's paths: bodies go through as they are, and errors have OpenAI's shape whoever tells them."""

import httpx
import pytest

from tests.envoy.by_hand import exchange
from tests.envoy.conftest import Edge
from tests.envoy.openai_service import BIG_ANSWER_BYTES, ERROR, REFUSED
from tests.envoy.recording_gateway import RecordingGateway

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_body_goes_through_as_it_is_and_so_does_its_answer(
    client: httpx.AsyncClient, gateway: RecordingGateway
) -> None:
    body = b'{ "input" : "a\xc3\xa7\xc3\xa3o", "unknown": [1, {}] }'
    response = await client.post("/v1/rerank", content=body, headers={"content-type": "application/json"})
    (request,) = gateway.calls["CreateReranking"].requests
    assert (request.body.data, request.body.content_type) == (body, "application/json")
    assert (response.status_code, response.content) == (200, b"{}")
    assert (await client.get("/v1/models")).json() == {"object": "list"}


async def test_a_batch_may_be_as_large_as_a_body_and_its_answer_larger(
    client: httpx.AsyncClient, gateway: RecordingGateway
) -> None:
    body = b'{"input": "' + b"a" * ((4 << 20) - 100) + b'"}'
    response = await client.post("/v1/embeddings", content=body)
    (request,) = gateway.calls["CreateEmbeddings"].requests
    assert request.body.data == body
    assert len(response.content) == BIG_ANSWER_BYTES + 2


async def test_a_call_has_240_seconds(client: httpx.AsyncClient, gateway: RecordingGateway) -> None:
    await client.post("/v1/rerank", content=b"{}")
    assert 200 < float(gateway.calls["CreateReranking"].metadata["time-remaining"]) <= 240


async def test_an_error_of_the_gateway_has_its_status_and_its_delay(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/embeddings", content=REFUSED)
    assert (response.status_code, response.headers["retry-after"]) == (429, "5")
    assert response.content == ERROR
    assert "x-http-code" not in response.headers


async def test_what_the_edge_refuses_is_an_error_of_openai_s(client: httpx.AsyncClient, edge: Edge) -> None:
    unknown = await client.post("/v1/chat/completions", json={})
    assert unknown.status_code == 404
    assert unknown.json()["error"] == {
        "message": "Nothing answers to this method at this path.",
        "type": "invalid_request_error",
        "param": None,
        "code": "route_not_found",
    }
    status, large = await exchange(edge, "/v1/embeddings", f"content-length: {(4 << 20) + 1}", [])
    assert (status, large["error"]["code"]) == (413, "upload_too_large")
    elsewhere = await client.get("/api/v1/nowhere")
    assert elsewhere.json()["code"] == 5  # google.rpc.Status


async def test_without_a_gateway_the_error_is_one_of_openai_s_too(lonely_edge: Edge) -> None:
    async with httpx.AsyncClient(base_url=lonely_edge.url, timeout=20, trust_env=False) as client:
        response = await client.post("/v1/embeddings", content=b"{}")
    assert response.status_code == 503
    assert response.json()["error"]["type"] == "server_error"
    assert response.headers["retry-after"] == "1"
