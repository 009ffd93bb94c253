"""What the gateway passes on to the rag_server, and what it says when that is away."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from acervo.gateway.v1 import edge_service_pb2
from acervo.rag.v1 import (
    collection_service_pb2,
    document_pb2,
    document_service_pb2,
    job_service_pb2,
    search_service_pb2,
    system_service_pb2,
)
from serving.errors import Unavailable
from tests.gateway.world import World, a_world, eventually, reason_of, refused

DOCUMENT = "collections/default/documents/01a1fea9-1e3a-7718-8ce3-c6371a919473"
QUERY = search_service_pb2.SearchRequest(query="anything")


class IndexBehind(Unavailable):
    """The index is behind."""

    reason = "INDEX_BEHIND"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as made:
        yield made


async def test_a_search_goes_through(world: World) -> None:
    assert (await world.search.Search(QUERY)).hits[0].text == "anything"


async def test_a_search_that_breaks_the_contract_is_refused_here(world: World) -> None:
    call = world.search.Search(search_service_pb2.SearchRequest(query="x", limit=-1))
    assert await refused(call) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")


async def test_a_status_of_the_rag_server_comes_through_untouched(world: World) -> None:
    world.rag_server.failure = IndexBehind("It is at 3.", retry_after_s=7.0, sequence="3")
    for _ in range(5):  # an answer, whatever it says, does not open the breaker
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await world.search.Search(QUERY)
        assert (raised.value.code(), reason_of(raised.value)) == (grpc.StatusCode.UNAVAILABLE, "INDEX_BEHIND")
        assert raised.value.details() == "It is at 3."
        assert dict(raised.value.trailing_metadata())["retry-after"] == "7"


async def test_without_the_rag_server_a_search_says_so_and_when_to_try_again(world: World) -> None:
    await world.rag_server.stop()
    for _ in range(6):  # before and after the breaker opens
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await world.search.Search(QUERY, timeout=5)
        assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
        assert reason_of(raised.value) == "RAG_SERVER_UNAVAILABLE"
        assert dict(raised.value.trailing_metadata())["retry-after"] == "1"
        status = rpc_status.from_call(raised.value)  # type: ignore[arg-type]  # the stubs know the synchronous Call only
        assert status is not None
        assert any(detail.Is(RetryInfo.DESCRIPTOR) for detail in status.details)
        assert "127.0.0.1" not in (raised.value.details() or "")

    await world.rag_server.start()

    async def found() -> bool:
        try:
            return len((await world.search.Search(QUERY, timeout=5)).hits) == 1
        except grpc.aio.AioRpcError:
            return False

    await eventually(found)


async def test_deleting_a_document_takes_back_what_waits_for_the_same_key(world: World) -> None:
    world.rag_server.documents[DOCUMENT] = document_pb2.Document(name=DOCUMENT, document_key="a.txt")
    world.rag_server.failure = Unavailable()  # uploads wait
    waiting = await world.upload(b"hello", name="a.txt")
    other = await world.upload(b"hello", name="b.txt")
    request = document_service_pb2.DeleteDocumentRequest(name=DOCUMENT)
    assert (await world.documents.DeleteDocument(request)).sequence == 7

    world.rag_server.failure = None
    await eventually(lambda: list(world.rag_server.jobs) == [other.job_id])
    name = f"jobs/{waiting.job_id}"
    job = (await world.jobs.GetJob(job_service_pb2.GetJobRequest(name=name))).job
    assert job.state == 6  # CANCELLED


async def test_deleting_a_collection_takes_back_what_waits_for_it(world: World) -> None:
    world.rag_server.failure = Unavailable()
    await world.upload(b"hello", name="a.txt", collection="old")
    kept = await world.upload(b"hello", name="a.txt", collection="new")
    request = collection_service_pb2.DeleteCollectionRequest(name="collections/old")
    assert (await world.collections.DeleteCollection(request)).sequence == 8
    world.rag_server.failure = None
    await eventually(lambda: list(world.rag_server.jobs) == [kept.job_id])


async def test_health_names_the_parts_of_both_sides(world: World) -> None:
    response = await world.system.GetHealth(system_service_pb2.GetHealthRequest())
    assert [part.name for part in response.components] == ["gateway", "disk", "outbox", "rag_server"]
    assert response.ready


async def test_the_counts_of_jobs_are_those_of_the_rag_server(world: World) -> None:
    response = await world.system.GetCounts(system_service_pb2.GetCountsRequest())
    assert [(one.reason, one.count) for one in response.counts] == [("ENCRYPTED", 3)]


async def test_without_the_rag_server_the_gateway_is_degraded_and_takes_uploads(world: World) -> None:
    ready = await world.edge.GetReadiness(edge_service_pb2.GetReadinessRequest())
    assert ready.status == "ok"
    await world.rag_server.stop()
    call = world.edge.GetReadiness(edge_service_pb2.GetReadinessRequest())
    response = await call
    assert response.status == "degraded"
    assert "x-http-code" not in dict(await call.initial_metadata())
    assert [part.condition for part in response.components if part.name == "rag_server"] == [3]  # DOWN
    alive = await world.edge.GetLiveness(edge_service_pb2.GetLivenessRequest())
    assert alive.status == "ok"


async def test_the_check_of_the_invariants_counts_both_sides(world: World) -> None:
    accepted = await world.upload(b"hello")
    await eventually(lambda: accepted.job_id in world.rag_server.jobs)

    async def checked() -> bool:
        stream = world.system.Verify(system_service_pb2.VerifyRequest())
        found = {response.invariant.id: response.invariant async for response in stream}
        assert list(found) == ["I1", "I6", "I8"]
        assert all(invariant.ok for invariant in found.values())
        return found["I8"].checked == 1

    await eventually(checked)
    world.rag_server.jobs.clear()
    stream = world.system.Verify(system_service_pb2.VerifyRequest())
    lost = [response.invariant async for response in stream][-1]
    assert (lost.id, lost.ok) == ("I8", False)
    assert accepted.job_id in lost.detail


async def test_reflection_lists_every_service(world: World) -> None:
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(world.channel)  # type: ignore[arg-type]  # stubs for sync only
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    async for response in stub.ServerReflectionInfo(iter([request])):
        names = {service.name for service in response.list_services_response.service}
    assert len([name for name in names if name.startswith("acervo.")]) == 14


async def test_a_call_ends_with_its_clients_deadline(world: World) -> None:
    accepted = await world.upload(b"hello")
    stream = aiter(world.jobs.JobStatus(job_service_pb2.JobStatusRequest(name=f"jobs/{accepted.job_id}"), timeout=1))

    async def read() -> None:
        async for _ in stream:
            pass

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await read()
    assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_deleting_by_a_filter_is_accepted_as_a_job_and_counting_is_not(world: World) -> None:
    request = document_service_pb2.DeleteDocumentsRequest(filter="tags:x")
    call = world.documents.DeleteDocuments(request, metadata=(("idempotency-key", "mine"),))
    assert (await call).job.request_id == "mine"
    metadata = dict(await call.initial_metadata())
    assert (metadata["x-http-code"], metadata["location"]) == ("202", "/api/v1/rag/jobs/a-delete")
    request.dry_run = True
    counting = world.documents.DeleteDocuments(request)
    assert (await counting).job_id == ""
    assert "x-http-code" not in dict(await counting.initial_metadata())
