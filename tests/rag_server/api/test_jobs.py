"""Jobs are watched, listed, cancelled and tried again over the wire."""

import asyncio
from typing import TYPE_CHECKING

import grpc
import pytest

from acervo.rag.v1 import job_pb2
from acervo.rag.v1 import job_service_pb2 as pb
from acervo.rag.v1.job_service_pb2_grpc import JobServiceStub
from tests.rag_server.api.conftest import Served

if TYPE_CHECKING:
    from acervo.rag.v1.job_service_pb2_grpc import JobServiceAsyncStub

NOBODY = "jobs/01890000-0000-7000-8000-000000000000"


@pytest.fixture
def jobs(served: Served) -> "JobServiceAsyncStub":
    return JobServiceStub(served.channel)


async def test_a_job_is_followed_to_its_end(served: Served, jobs: "JobServiceAsyncStub") -> None:
    name = (await served.upload(b"one")).job.name
    states: list[int] = []
    async with asyncio.timeout(10):
        async for response in jobs.JobStatus(pb.JobStatusRequest(name=name)):
            if not states:
                await served.work_off("one")
            states.append(response.job.state)
    assert (states[0], states[-1]) == (job_pb2.JOB_STATE_QUEUED, job_pb2.JOB_STATE_SUCCEEDED)


async def test_an_unknown_job_is_not_found(jobs: "JobServiceAsyncStub") -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await jobs.GetJob(pb.GetJobRequest(name=NOBODY))
    assert raised.value.code() == grpc.StatusCode.NOT_FOUND


async def test_jobs_are_listed_in_pages_the_latest_first(served: Served, jobs: "JobServiceAsyncStub") -> None:
    names = [(await served.upload(b"one", f"{number}.txt")).job.name for number in range(3)]
    first = await jobs.ListJobs(pb.ListJobsRequest(page_size=2))
    second = await jobs.ListJobs(pb.ListJobsRequest(page_size=2, page_token=first.next_page_token))
    assert [job.name for job in [*first.jobs, *second.jobs]] == names[::-1]
    assert not second.next_page_token


async def test_a_page_token_belongs_to_its_query(served: Served, jobs: "JobServiceAsyncStub") -> None:
    for number in range(2):
        await served.upload(b"one", f"{number}.txt")
    token = (await jobs.ListJobs(pb.ListJobsRequest(page_size=1))).next_page_token
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await jobs.ListJobs(pb.ListJobsRequest(page_size=1, page_token=token, collection="other"))
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_a_cancelled_job_can_be_tried_again(served: Served, jobs: "JobServiceAsyncStub") -> None:
    name = (await served.upload(b"one")).job.name
    cancelled = (await jobs.CancelJob(pb.CancelJobRequest(name=name))).job
    again = (await jobs.RetryJob(pb.RetryJobRequest(name=name))).job
    assert (cancelled.state, again.state) == (job_pb2.JOB_STATE_CANCELLED, job_pb2.JOB_STATE_QUEUED)


async def test_a_job_that_succeeded_cannot_be_cancelled(served: Served, jobs: "JobServiceAsyncStub") -> None:
    name = (await served.upload(b"one")).job.name
    await served.work_off("one")
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await jobs.CancelJob(pb.CancelJobRequest(name=name))
    assert raised.value.code() == grpc.StatusCode.FAILED_PRECONDITION
