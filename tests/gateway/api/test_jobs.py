"""Jobs, through the time in which the rag_server is away."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo

from acervo.rag.v1 import job_pb2
from acervo.rag.v1 import job_service_pb2 as pb
from tests.gateway.rag_server_stand_in import RagServerStandIn
from tests.gateway.world import World, a_world, eventually, reason_of, refused

UNKNOWN = "jobs/01a1fea9-1e3a-7718-8ce3-c6371a919473"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as made:
        yield made


async def state_of(world: World, job_id: str) -> str:
    response = await world.jobs.GetJob(pb.GetJobRequest(name=f"jobs/{job_id}"), timeout=10)
    return job_pb2.JobState.Name(response.job.state).removeprefix("JOB_STATE_")


async def handed_over(world: World, count: int) -> None:
    await eventually(lambda: len(world.rag_server.jobs) == count)


async def test_what_is_uploaded_while_the_rag_server_is_away_arrives_once_in_order(world: World) -> None:
    await world.rag_server.stop()
    accepted = [await world.upload(f"{n}".encode(), name=f"{n % 3}.txt") for n in range(12)]
    assert {await state_of(world, answer.job_id) for answer in accepted} == {"QUEUED"}
    assert world.rag_server.taken == []

    await world.rag_server.start()
    await handed_over(world, 12)

    names = [header.job.removeprefix("jobs/") for header in world.rag_server.taken]
    assert sorted(names) == sorted(answer.job_id for answer in accepted)
    for key in ("0.txt", "1.txt", "2.txt"):
        of_key = [header.job for header in world.rag_server.taken if header.document_key == key]
        assert of_key == sorted(of_key)


async def test_what_waits_survives_the_gateway(tmp_path: Path) -> None:
    rag_server = RagServerStandIn()
    await rag_server.start()
    await rag_server.stop()
    async with a_world(tmp_path, rag_server) as world:
        accepted = await world.upload(b"hello")
    await rag_server.start()
    async with a_world(tmp_path, rag_server) as world:
        await handed_over(world, 1)
    assert list(rag_server.jobs) == [accepted.job_id]


async def test_a_late_refusal_is_a_failed_job_with_its_reason(world: World) -> None:
    world.rag_server.refuse_key = "bad.txt"
    accepted = await world.upload(b"hello", name="bad.txt")

    async def failed() -> bool:
        return await state_of(world, accepted.job_id) == "FAILED"

    await eventually(failed)
    job = (await world.jobs.GetJob(pb.GetJobRequest(name=f"jobs/{accepted.job_id}"))).job
    info = ErrorInfo()
    assert job.error.details[0].Unpack(info)
    assert (info.reason, info.domain, info.metadata["key"]) == ("REQUEST_ID_REUSED", "acervo", "told")
    assert job.HasField("end_time")
    call = world.jobs.CancelJob(pb.CancelJobRequest(name=job.name))
    assert await refused(call) == (grpc.StatusCode.FAILED_PRECONDITION, "JOB_ENDED")

    world.rag_server.refuse_key = ""
    again = await world.jobs.RetryJob(pb.RetryJobRequest(name=job.name))
    assert again.job.state == job_pb2.JOB_STATE_QUEUED
    await handed_over(world, 1)


async def test_the_life_of_a_job_is_told_across_the_hand_over(world: World) -> None:
    await world.rag_server.stop()
    accepted = await world.upload(b"hello")
    stream = aiter(world.jobs.JobStatus(pb.JobStatusRequest(name=f"jobs/{accepted.job_id}"), timeout=30))
    first = (await anext(stream)).job
    assert (first.state, first.revision) == (job_pb2.JOB_STATE_QUEUED, 0)

    await world.rag_server.start()
    assert (await anext(stream)).job.revision == 1
    world.rag_server.move(accepted.job_id, job_pb2.JOB_STATE_RUNNING)
    assert (await anext(stream)).job.state == job_pb2.JOB_STATE_RUNNING
    world.rag_server.move(accepted.job_id, job_pb2.JOB_STATE_SUCCEEDED)
    assert [response.job.state async for response in stream] == [job_pb2.JOB_STATE_SUCCEEDED]


async def test_a_stream_outlives_the_rag_server(world: World) -> None:
    accepted = await world.upload(b"hello")
    await handed_over(world, 1)
    stream = aiter(world.jobs.JobStatus(pb.JobStatusRequest(name=f"jobs/{accepted.job_id}"), timeout=30))
    while (await anext(stream)).job.revision < 1:
        pass
    await world.rag_server.stop()
    world.rag_server.move(accepted.job_id, job_pb2.JOB_STATE_RUNNING)
    await world.rag_server.start()
    assert (await anext(stream)).job.revision == 2
    world.rag_server.move(accepted.job_id, job_pb2.JOB_STATE_FAILED)
    assert [response.job.revision async for response in stream] == [3]


async def test_resuming_after_a_revision_tells_only_what_is_newer(world: World) -> None:
    accepted = await world.upload(b"hello")
    await handed_over(world, 1)
    world.rag_server.move(accepted.job_id, job_pb2.JOB_STATE_RUNNING)
    request = pb.JobStatusRequest(name=f"jobs/{accepted.job_id}", after_revision=2)
    stream = aiter(world.jobs.JobStatus(request, timeout=30))
    world.rag_server.move(accepted.job_id, job_pb2.JOB_STATE_SUCCEEDED)
    assert [response.job.revision async for response in stream] == [3]


async def test_an_unknown_job_is_not_found_by_the_rag_servers_own_words(world: World) -> None:
    assert await refused(world.jobs.GetJob(pb.GetJobRequest(name=UNKNOWN))) == (
        grpc.StatusCode.NOT_FOUND,
        "JOB_NOT_FOUND",
    )
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await anext(aiter(world.jobs.JobStatus(pb.JobStatusRequest(name=UNKNOWN))))
    assert reason_of(raised.value) == "JOB_NOT_FOUND"


async def test_waiting_for_a_job_ends_with_its_end(world: World) -> None:
    await world.rag_server.stop()
    accepted = await world.upload(b"hello")
    call = world.jobs.GetJob(pb.GetJobRequest(name=f"jobs/{accepted.job_id}", wait=Duration(seconds=50)))
    await world.rag_server.start()
    await handed_over(world, 1)
    world.rag_server.move(accepted.job_id, job_pb2.JOB_STATE_SUCCEEDED)
    assert (await call).job.state == job_pb2.JOB_STATE_SUCCEEDED


async def test_waiting_for_a_job_ends_with_the_time(world: World) -> None:
    await world.rag_server.stop()
    accepted = await world.upload(b"hello")
    request = pb.GetJobRequest(name=f"jobs/{accepted.job_id}", wait=Duration(nanos=200_000_000))
    assert (await world.jobs.GetJob(request, timeout=20)).job.state == job_pb2.JOB_STATE_QUEUED
    request = pb.GetJobRequest(name=f"jobs/{accepted.job_id}", wait=Duration(seconds=60))
    assert (await world.jobs.GetJob(request, timeout=1)).job.state == job_pb2.JOB_STATE_QUEUED


async def test_a_waiting_job_is_cancelled_here_and_never_arrives(world: World) -> None:
    await world.rag_server.stop()
    accepted = await world.upload(b"hello")
    response = await world.jobs.CancelJob(pb.CancelJobRequest(name=f"jobs/{accepted.job_id}"))
    assert response.job.state == job_pb2.JOB_STATE_CANCELLED

    await world.rag_server.start()
    later = await world.upload(b"other", name="a.txt")
    await handed_over(world, 1)
    # An earlier try might have arrived: the rag_server was asked before what came later for the same document.
    assert world.rag_server.cancelled == [f"jobs/{accepted.job_id}"]
    assert list(world.rag_server.jobs) == [later.job_id]
    assert await state_of(world, accepted.job_id) == "CANCELLED"


async def test_a_cancelled_job_is_tried_again_on_request(world: World) -> None:
    await world.rag_server.stop()
    accepted = await world.upload(b"hello")
    name = f"jobs/{accepted.job_id}"
    call = world.jobs.RetryJob(pb.RetryJobRequest(name=name))
    assert await refused(call) == (grpc.StatusCode.FAILED_PRECONDITION, "JOB_NOT_RETRYABLE")
    await world.jobs.CancelJob(pb.CancelJobRequest(name=name))
    response = await world.jobs.RetryJob(pb.RetryJobRequest(name=name))
    assert response.job.state == job_pb2.JOB_STATE_QUEUED
    await world.rag_server.start()
    await handed_over(world, 1)


async def test_a_job_of_the_rag_server_is_cancelled_and_retried_there(world: World) -> None:
    accepted = await world.upload(b"hello")
    await handed_over(world, 1)
    name = f"jobs/{accepted.job_id}"

    async def cancelled_there() -> bool:
        await world.jobs.CancelJob(pb.CancelJobRequest(name=name))
        return world.rag_server.jobs[accepted.job_id].state == job_pb2.JOB_STATE_CANCELLED

    await eventually(cancelled_there)
    await eventually(lambda: True)
    response = await world.jobs.RetryJob(pb.RetryJobRequest(name=name))
    assert response.job.state == job_pb2.JOB_STATE_QUEUED


async def test_pages_of_jobs_hold_those_of_both_sides_in_order(world: World) -> None:
    names = []
    for number in range(9):
        refused_here = number % 3 == 1
        world.rag_server.refuse_key = f"{number}.txt" if refused_here else ""
        accepted = await world.upload(f"{number}".encode(), name=f"{number}.txt")
        names.append(f"jobs/{accepted.job_id}")
        wanted = "FAILED" if refused_here else "QUEUED"

        async def settled(job_id: str = accepted.job_id, state: str = wanted) -> bool:
            known = job_id in world.rag_server.jobs or state == "FAILED"
            return known and await state_of(world, job_id) == state

        await eventually(settled)

    for page_size in (1, 2, 4, 9, 20):
        seen: list[str] = []
        token = ""
        while True:
            request = pb.ListJobsRequest(page_size=page_size, page_token=token)
            page = await world.jobs.ListJobs(request)
            assert len(page.jobs) <= page_size
            seen.extend(job.name for job in page.jobs)
            token = page.next_page_token
            if not token:
                break
        assert seen == sorted(names, reverse=True)
