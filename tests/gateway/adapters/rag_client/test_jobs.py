"""The rag_server's jobs, from servers that hang."""

import asyncio
from contextlib import aclosing

import pytest

from acervo.rag.v1 import job_pb2
from gateway.adapters.rag_client.client import RagClient
from gateway.adapters.rag_client.jobs import RagJobs
from gateway.domain.errors import RagServerSlow
from tests.gateway.rag_server_stand_in import RagServerStandIn

JOB = "a-job"


@pytest.mark.parametrize("hangs", [True, False])
async def test_a_stream_that_tells_nothing_is_given_up(*, hangs: bool) -> None:
    server = RagServerStandIn(hangs=hangs, heartbeat_s=0.1)
    server.jobs[JOB] = job_pb2.Job(name=f"jobs/{JOB}", state=job_pb2.JOB_STATE_RUNNING, revision=1)
    await server.start()
    try:
        async with RagClient([f"127.0.0.1:{server.port}"]) as client, asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(client.watch_health())
            jobs = RagJobs(client, silent_stream_s=5.0 if not hangs else 0.5)
            async with aclosing(jobs.watch(JOB, None)) as snapshots:
                if hangs:
                    with pytest.raises(RagServerSlow):
                        await anext(snapshots)
                else:
                    assert [(await anext(snapshots)).revision for _ in range(3)] == [1, 1, 1]
            watching.cancel()
    finally:
        await server.stop()
