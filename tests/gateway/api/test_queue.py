from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from acervo.rag.v1 import queue_service_pb2 as pb
from tests.gateway.world import World, a_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as made:
        yield made


async def test_the_queue_is_the_one_of_the_rag_server(world: World) -> None:
    assert (await world.queue.PauseQueue(pb.PauseQueueRequest())).queue == pb.Queue(paused=True, queued=3)
    assert (await world.queue.GetQueue(pb.GetQueueRequest())).queue.paused
    assert not (await world.queue.ResumeQueue(pb.ResumeQueueRequest())).queue.paused
