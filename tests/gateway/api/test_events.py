"""Server-sent events."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from acervo.gateway.v1 import event_service_pb2 as pb
from acervo.rag.v1 import job_pb2
from tests.gateway.world import World, a_world, eventually, refused


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as made:
        yield made


async def test_a_job_is_told_as_frames_until_its_end(world: World) -> None:
    await world.rag_server.stop()
    accepted = await world.upload(b"hello")
    call = world.events.StreamJobEvents(pb.StreamJobEventsRequest(name=f"jobs/{accepted.job_id}"), timeout=60)
    stream = aiter(call)
    first = await anext(stream)
    assert (first.body.content_type, first.body.data) == ("text/event-stream", b"retry: 2000\n\n")
    metadata = dict(await call.initial_metadata())
    assert (metadata["cache-control"], metadata["x-accel-buffering"]) == ("no-cache", "no")

    lines = (await anext(stream)).body.data.decode().split("\n")
    assert lines[0:2] == ["id: 0", "event: job"]
    job = json.loads(lines[2].removeprefix("data: "))
    assert (job["state"], job["size_bytes"], job["revision"]) == ("JOB_STATE_QUEUED", "5", "0")
    assert lines[3:] == ["", ""]

    await world.rag_server.start()
    await eventually(lambda: accepted.job_id in world.rag_server.jobs)
    world.rag_server.move(accepted.job_id, job_pb2.JOB_STATE_SUCCEEDED)
    rest = [message.body.data async for message in stream]
    assert rest[-1] == b"event: end\ndata: {}\n\n"
    assert rest[-2].startswith(b"id: 2\n")
    assert b"JOB_STATE_SUCCEEDED" in rest[-2]


async def test_what_was_seen_already_is_not_told_again(world: World) -> None:
    accepted = await world.upload(b"hello")
    await eventually(lambda: accepted.job_id in world.rag_server.jobs)
    world.rag_server.move(accepted.job_id, job_pb2.JOB_STATE_RUNNING)
    request = pb.StreamJobEventsRequest(name=f"jobs/{accepted.job_id}")
    stream = aiter(world.events.StreamJobEvents(request, metadata=(("last-event-id", "2"),), timeout=60))
    assert (await anext(stream)).body.data == b"retry: 2000\n\n"
    assert (await anext(stream)).body.data == b": keep-alive\n\n"
    world.rag_server.move(accepted.job_id, job_pb2.JOB_STATE_SUCCEEDED)
    while (frame := (await anext(stream)).body.data) == b": keep-alive\n\n":
        pass
    assert frame.startswith(b"id: 3\n")


async def test_a_line_without_news_is_kept_alive(world: World) -> None:
    world.rag_server.heartbeat_s = 0.1
    accepted = await world.upload(b"hello")
    await eventually(lambda: accepted.job_id in world.rag_server.jobs)
    stream = aiter(world.events.StreamJobEvents(pb.StreamJobEventsRequest(name=f"jobs/{accepted.job_id}"), timeout=60))
    while (await anext(stream)).body.data != b": keep-alive\n\n":
        pass


@pytest.mark.parametrize("last_event_id", ["x", "-1", "9" * 40])
async def test_an_id_that_is_none_is_refused(world: World, last_event_id: str) -> None:
    accepted = await world.upload(b"hello")
    request = pb.StreamJobEventsRequest(name=f"jobs/{accepted.job_id}")
    call = world.events.StreamJobEvents(request, metadata=(("last-event-id", last_event_id),))

    async def read() -> None:
        async for _ in call:
            pass

    assert (await refused(read()))[0] is grpc.StatusCode.INVALID_ARGUMENT


async def test_an_unknown_job_is_told_before_the_stream_begins(world: World) -> None:
    request = pb.StreamJobEventsRequest(name="jobs/01a1fea9-1e3a-7718-8ce3-c6371a919473")
    call = world.events.StreamJobEvents(request)

    async def read() -> None:
        async for _ in call:
            pass

    assert await refused(read()) == (grpc.StatusCode.NOT_FOUND, "JOB_NOT_FOUND")
    assert "cache-control" not in dict(await call.initial_metadata())
