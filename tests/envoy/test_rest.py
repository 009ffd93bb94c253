"""REST: how requests are bound, what the gateway is told, and what clients read."""

import asyncio
import json

import httpx
import pytest

from tests.envoy.conftest import Edge
from tests.envoy.recording_gateway import JOB, LOST, RecordingGateway

pytestmark = pytest.mark.asyncio(loop_scope="session")

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_a_search_in_the_query_string_keeps_its_accents_and_its_blanks(
    client: httpx.AsyncClient, gateway: RecordingGateway
) -> None:
    response = await client.get("/api/v1/search?query=a%C3%A7%C3%A3o+r%C3%A1pida%21&mode=search_mode_lexical&limit=5")
    (request,) = gateway.calls["Search"].requests
    assert (request.query, request.mode, request.limit) == ("ação rápida!", 2, 5)
    assert response.json()["hits"][0]["text"] == "ação rápida!"


async def test_names_are_snake_case_enums_are_words_and_empty_fields_are_there(client: httpx.AsyncClient) -> None:
    job = (await client.get(f"/api/v1/rag/{JOB}")).json()["job"]
    assert job["state"] == "JOB_STATE_RUNNING"
    assert job["size_bytes"] == str(2**40)
    assert job["document_version"] == 0
    assert job["warnings"] == []


@pytest.mark.parametrize(("wait", "seconds"), [("30s", 30), ("1.5s", 1.5)])
async def test_wait_is_a_duration_and_the_call_has_65_seconds(
    wait: str, seconds: float, client: httpx.AsyncClient, gateway: RecordingGateway
) -> None:
    await client.get(f"/api/v1/rag/{JOB}?wait={wait}")
    call = gateway.calls["GetJob"]
    (request,) = call.requests
    assert request.wait.ToTimedelta().total_seconds() == seconds
    assert 31 < float(call.metadata["time-remaining"]) < 70  # other unary calls have 30


async def test_the_gateway_gets_ids_and_trace_but_not_the_query_string(
    client: httpx.AsyncClient, gateway: RecordingGateway
) -> None:
    headers = {"x-request-id": "meu-pedido-1", "traceparent": TRACEPARENT, "x-envoy-upstream-rq-timeout-ms": "1"}
    response = await client.get("/api/v1/search?query=segredo", headers=headers)
    metadata = gateway.calls["Search"].metadata
    assert response.headers["x-request-id"] == metadata["x-request-id"] == "meu-pedido-1"
    assert metadata["traceparent"] == TRACEPARENT
    assert metadata["x-envoy-original-path"] == "/api/v1/search"
    assert "x-envoy-internal" not in metadata
    assert not [value for value in metadata.values() if "segredo" in value]


async def test_a_request_without_an_id_gets_one(client: httpx.AsyncClient, gateway: RecordingGateway) -> None:
    response = await client.get("/api/v1/search?query=x")
    assert len(response.headers["x-request-id"]) == 36
    assert response.headers["x-request-id"] == gateway.calls["Search"].metadata["x-request-id"]


async def test_readiness_is_503_with_its_answer(client: httpx.AsyncClient) -> None:
    response = await client.get("/health/ready")
    assert response.status_code == 503
    assert response.json()["status"] == "down"
    assert response.json()["components"][0]["condition"] == "CONDITION_DOWN"
    assert "x-http-code" not in response.headers


async def test_an_http_body_comes_as_it_is(client: httpx.AsyncClient) -> None:
    response = await client.get("/openapi.json")
    assert response.headers["content-type"] == "application/json"
    assert response.content == b'{"openapi":"3.1.0"}'


async def test_answers_carry_no_trace_of_the_way_and_may_not_be_kept(client: httpx.AsyncClient) -> None:
    headers = (await client.get("/health/live")).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert not {"server", "grpc-message", "grpc-accept-encoding", "x-envoy-upstream-service-time"} & set(headers)


async def test_errors_of_the_gateway_keep_their_code_and_details(client: httpx.AsyncClient) -> None:
    response = await client.get(f"/api/v1/rag/{LOST}")
    body = response.json()
    assert (response.status_code, body["code"]) == (404, 5)
    assert body["details"][0]["reason"] == "JOB_NOT_FOUND"
    assert body["details"][1]["resource_name"] == LOST


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("GET", "/nowhere", "", (404, 5, "ROUTE_NOT_FOUND")),
        ("PUT", "/health/live", "", (404, 5, "ROUTE_NOT_FOUND")),
        ("POST", "/acervo.rag.v1.SearchService/Search", "{}", (404, 5, "ROUTE_NOT_FOUND")),
        ("POST", "/api/v1/search", '{"query": "x', (400, 3, "INVALID_REQUEST")),
        ("POST", "/api/v1/search", '{"limit": "many"}', (400, 3, "INVALID_REQUEST")),
        ("GET", "/api/v1/search?query=x&nope=1", "", (400, 3, "INVALID_REQUEST")),
        ("GET", f"/api/v1/rag/{JOB}?wait=30", "", (400, 3, "INVALID_REQUEST")),
        ("GET", "/api/v1/search?query=" + "x" * 20_000, "", (431, 3, "INVALID_REQUEST")),
    ],
    ids=["path", "verb", "rpc path", "half a JSON", "wrong type", "unknown parameter", "no duration", "long path"],
)
async def test_what_the_edge_refuses_it_refuses_in_json(
    client: httpx.AsyncClient, method: str, path: str, body: str, expected: tuple[int, int, str]
) -> None:
    response = await client.request(method, path, content=body)
    info = response.json()["details"][0]
    assert (response.status_code, response.json()["code"], info["reason"]) == expected
    assert info["domain"] == "acervo"
    assert response.json()["message"]


async def test_a_gateway_that_is_not_there_is_503_with_a_time_to_come_back(lonely_edge: Edge) -> None:
    async with httpx.AsyncClient(base_url=lonely_edge.url, timeout=20, trust_env=False) as client:
        response = await client.get("/api/v1/search?query=x")
    body = response.json()
    assert (response.status_code, response.headers["retry-after"], body["code"]) == (503, "1", 14)
    kinds = [detail["@type"].rpartition(".")[2] for detail in body["details"]]
    assert kinds == ["ErrorInfo", "RequestInfo", "RetryInfo"]
    assert body["details"][1]["request_id"] == response.headers["x-request-id"]


async def test_long_headers_reach_the_gateway(client: httpx.AsyncClient, gateway: RecordingGateway) -> None:
    response = await client.get("/api/v1/search?query=x", headers={"x-long": "y" * 13_000})
    assert response.status_code == 200
    assert len(gateway.calls["Search"].metadata["x-long"]) == 13_000


async def test_an_answer_of_five_megabytes_comes_through(client: httpx.AsyncClient) -> None:
    response = await client.get("/api/v1/rag/jobs?page_size=250")
    assert len(response.json()["jobs"]) == 4096


@pytest.mark.parametrize(("origin", "allowed"), [("http://localhost:3000", True), ("http://localhost.evil.com", False)])
async def test_browsers_on_this_machine_may_read_answers_and_others_may_not(
    client: httpx.AsyncClient,
    origin: str,
    allowed: bool,  # noqa: FBT001 - a table's column
) -> None:
    response = await client.get("/health/live", headers={"origin": origin})
    assert (response.headers.get("access-control-allow-origin") == origin) is allowed
    preflight = {"origin": origin, "access-control-request-method": "POST"}
    assert (await client.options("/api/v1/search", headers=preflight)).is_success is allowed


async def test_the_access_log_tells_the_request_but_not_what_was_asked(client: httpx.AsyncClient, edge: Edge) -> None:
    await client.post("/api/v1/search", content='{"query": palavrasecreta}')
    sent = {"x-request-id": "para-o-registo", "traceparent": TRACEPARENT}
    await client.get("/api/v1/search?query=palavrasecreta", headers=sent)
    line = await line_of("para-o-registo", edge)
    expected = {"method": "GET", "path": "/api/v1/search", "code": 200, "traceparent": TRACEPARENT, "grpc_status": "OK"}
    assert expected.items() <= line.items()
    assert line["route"] == "acervo.rag.v1.SearchService/Search"
    assert {"duration_ms", "bytes_received", "bytes_sent"} <= line.keys()
    assert "palavrasecreta" not in edge.access_log.read_text()


async def line_of(request_id: str, edge: Edge) -> dict[str, object]:
    """The request's line in the access log, which Envoy writes a moment later."""
    async with asyncio.timeout(10):
        while True:
            text = edge.access_log.read_text() if edge.access_log.exists() else ""
            for line in text.splitlines():
                if request_id in line:
                    entry: dict[str, object] = json.loads(line)
                    return entry
            await asyncio.sleep(0.02)
