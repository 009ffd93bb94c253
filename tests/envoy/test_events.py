"""Server-sent events: each frame leaves when it is made."""

import asyncio

import httpx
import pytest

from tests.envoy.recording_gateway import JOB, LOST, RecordingGateway

pytestmark = pytest.mark.asyncio(loop_scope="session")

PATH = f"/api/v1/rag/{JOB}/events"


async def test_frames_arrive_one_by_one_and_byte_for_byte(client: httpx.AsyncClient, gateway: RecordingGateway) -> None:
    frames = ["id: 1\nevent: job\ndata: {}\n\n", ": alive\n\n", "event: end\ndata: {}\n\n"]
    gateway.frames.put_nowait(frames[0])
    async with client.stream("GET", PATH) as response, asyncio.timeout(20):
        assert response.headers["content-type"] == "text/event-stream"
        received = response.aiter_text()
        assert await anext(received) == frames[0]
        for frame in frames[1:]:
            gateway.frames.put_nowait(frame)  # only now: the one before has arrived
            assert await anext(received) == frame
        gateway.frames.put_nowait("")
        assert [text async for text in received] == []


async def test_the_last_event_id_arrives(client: httpx.AsyncClient, gateway: RecordingGateway) -> None:
    gateway.frames.put_nowait("event: end\n\n")
    gateway.frames.put_nowait("")
    await client.get(PATH, headers={"last-event-id": "17", "accept": "text/event-stream"})
    call = gateway.calls["StreamJobEvents"]
    assert call.metadata["last-event-id"] == "17"
    assert call.requests[0].name == JOB


async def test_a_client_that_leaves_ends_the_stream_of_the_gateway(
    client: httpx.AsyncClient, gateway: RecordingGateway
) -> None:
    gateway.frames.put_nowait("event: job\n\n")
    async with client.stream("GET", PATH) as response:
        await anext(response.aiter_text())
    async with asyncio.timeout(10):
        await gateway.calls["StreamJobEvents"].cancelled.wait()


async def test_an_error_before_the_first_frame_is_an_error_in_json(client: httpx.AsyncClient) -> None:
    response = await client.get(f"/api/v1/rag/{LOST}/events")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/json"
    assert response.json()["details"][0]["reason"] == "JOB_NOT_FOUND"
