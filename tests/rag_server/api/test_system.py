from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from acervo.rag.v1 import job_pb2, system_service_pb2, system_service_pb2_grpc
from rag_server.adapters.flock.slots import SlotLock
from rag_server.api.system import SystemApi
from rag_server.domain.failure import Failure, FailureReason
from rag_server.use_cases.examining import Examining
from serving.server import bind
from storage.blobs import BlobFolder
from tests.contracts.ingesting import claim, ingest, order, tick
from tests.fakes.following_indexes import FollowingIndexes
from tests.fakes.store_ports import StorePorts, memory_ports

if TYPE_CHECKING:
    from acervo.rag.v1.system_service_pb2_grpc import SystemServiceAsyncStub


@pytest.fixture
def store() -> StorePorts:
    return memory_ports()


@pytest.fixture
async def system(store: StorePorts, tmp_path: Path) -> AsyncIterator["SystemServiceAsyncStub"]:
    parts = store.jobs, store.queueing, store.change_log, FollowingIndexes(), BlobFolder(tmp_path / "blobs")
    examining = Examining(*parts, SlotLock(tmp_path), (), "bundled", 0)
    server = bind("127.0.0.1:0", [], [])
    system_service_pb2_grpc.add_SystemServiceServicer_to_server(SystemApi(examining), server.grpc)
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield system_service_pb2_grpc.SystemServiceStub(channel)
    await server.stop(drain_s=0, grace_s=0)


async def test_ends_are_counted_by_state_and_reason(store: StorePorts, system: "SystemServiceAsyncStub") -> None:
    await ingest(store, "a")
    await store.jobs.admit(order("b"), tick())
    await store.slot.fail(await claim(store), Failure(FailureReason.ENCRYPTED), tick())
    response = await system.GetCounts(system_service_pb2.GetCountsRequest())
    assert [(one.state, one.reason, one.count) for one in response.counts] == [
        (job_pb2.JOB_STATE_SUCCEEDED, "", 1),
        (job_pb2.JOB_STATE_FAILED, "ENCRYPTED", 1),
    ]


async def test_health_names_the_extractor(system: "SystemServiceAsyncStub") -> None:
    response = await system.GetHealth(system_service_pb2.GetHealthRequest())
    parts = {component.name: component for component in response.components}
    assert response.ready
    assert parts["extractor"].condition == system_service_pb2.CONDITION_DEGRADED
