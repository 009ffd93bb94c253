"""Uploads over REST: every byte arrives as it was sent, up to the limit."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.envoy.by_hand import exchange
from tests.envoy.conftest import MAX_UPLOAD_BYTES, Edge
from tests.envoy.recording_gateway import RecordingGateway

pytestmark = pytest.mark.asyncio(loop_scope="session")

MIB = 1024 * 1024
PATH = "/api/v1/rag/upload"


async def test_a_raw_body_arrives_in_pieces_and_is_answered_202(
    client: httpx.AsyncClient, gateway: RecordingGateway
) -> None:
    body = bytes(range(256)) * (5 * 4096)
    response = await client.post(PATH, content=body, headers={"content-type": "application/pdf"})
    call = gateway.calls["Upload"]
    assert response.status_code == 202
    assert response.json()["status"] == "QUEUED"
    assert call.body == body
    assert max(len(request.body.data) for request in call.requests) <= MIB
    assert call.requests[0].body.content_type == "application/pdf"


async def test_an_error_may_name_its_own_http_status(client: httpx.AsyncClient) -> None:
    response = await client.post(f"{PATH}?file_name=too-large", content=b"x")
    assert (response.status_code, response.json()["code"]) == (413, 8)
    assert "x-http-error-code" not in response.headers


async def test_the_query_fills_the_first_piece(client: httpx.AsyncClient, gateway: RecordingGateway) -> None:
    await client.post(f"{PATH}?file_name=rela%C3%A7%C3%A3o+final.txt&tags=a&tags=b&priority=3", content=b"x" * 3 * MIB)
    first, *others = gateway.calls["Upload"].requests
    assert (first.file_name, list(first.tags), first.priority) == ("relação final.txt", ["a", "b"], 3)
    assert others
    assert not [piece for piece in others if piece.file_name or piece.tags or piece.body.content_type]


async def test_a_multipart_body_arrives_untouched(client: httpx.AsyncClient, gateway: RecordingGateway) -> None:
    form = {"file": ("olá.txt", b"conte\xc3\xbado", "text/plain")}
    request = client.build_request("POST", PATH, files=form, data={"collection": "actas"})
    sent = request.read()
    await client.send(request)
    call = gateway.calls["Upload"]
    assert call.requests[0].body.content_type == request.headers["content-type"]
    assert call.requests[0].body.content_type.startswith("multipart/form-data; boundary=")
    assert call.body == sent


async def test_the_length_of_the_body_arrives_and_cannot_be_forged(
    client: httpx.AsyncClient, gateway: RecordingGateway
) -> None:
    headers = {"x-body-length": "99", "idempotency-key": "chave-1"}
    await client.post(PATH, content=b"abc", headers=headers)
    assert gateway.calls["Upload"].metadata["x-body-length"] == "3"
    assert gateway.calls["Upload"].metadata["idempotency-key"] == "chave-1"
    await client.post(PATH, content=chunks(3), headers=headers)
    assert "x-body-length" not in gateway.calls["Upload"].metadata
    assert gateway.calls["Upload"].body == b"x" * 300


async def test_an_empty_body_is_one_empty_piece(client: httpx.AsyncClient, gateway: RecordingGateway) -> None:
    await client.post(PATH, content=b"")
    assert [request.body.data for request in gateway.calls["Upload"].requests] == [b""]
    assert gateway.calls["Upload"].metadata["x-body-length"] == "0"


async def test_a_file_of_the_allowed_size_passes_in_a_form(
    client: httpx.AsyncClient, gateway: RecordingGateway
) -> None:
    response = await client.post(PATH, files={"file": ("max.bin", b"x" * MAX_UPLOAD_BYTES)})
    assert response.status_code == 202
    assert len(gateway.calls["Upload"].body) > MAX_UPLOAD_BYTES


@pytest.mark.parametrize(("path", "announced"), [(PATH, 2 * MAX_UPLOAD_BYTES), ("/api/v1/search", 5 * MIB)])
async def test_a_body_announced_over_the_limit_is_413_before_it_is_sent(path: str, announced: int, edge: Edge) -> None:
    status, body = await exchange(edge, path, f"content-length: {announced}", [])
    info = body["details"][0]
    assert (status, body["code"], info["reason"]) == (413, 8, "UPLOAD_TOO_LARGE")


async def test_a_refused_upload_leaves_its_file_name_out_of_the_logs(edge: Edge) -> None:
    await exchange(edge, f"{PATH}?file_name=nomesecreto", f"content-length: {2 * MAX_UPLOAD_BYTES}", [])
    assert "nomesecreto" not in edge.own_log.read_text() + edge.access_log.read_text()


async def test_a_body_that_grows_over_the_limit_is_413(edge: Edge) -> None:
    chunk = b"%x\r\n%s\r\n" % (MIB, b"x" * MIB)
    status, body = await exchange(edge, PATH, "transfer-encoding: chunked", [chunk] * (2 * MAX_UPLOAD_BYTES // MIB))
    assert (status, body["details"][0]["reason"]) == (413, "UPLOAD_TOO_LARGE")


async def chunks(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * 100
