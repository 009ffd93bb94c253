"""JobService: watches and steers jobs."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from acervo.rag.v1 import job_pb2
from acervo.rag.v1 import job_service_pb2 as pb
from acervo.rag.v1.job_service_pb2_grpc import JobServiceServicer
from rag_server.api import translate
from rag_server.domain.job import JobState
from rag_server.ports import JobFilter, Jobs, Wakeups
from rag_server.use_cases.watching import Watching
from serving import paging
from serving.interceptors import Context

STATE_PREFIX = "JOB_STATE_"


class JobApi(JobServiceServicer):
    """Serves jobs as the views of this server allow to tell them."""

    def __init__(self, jobs: Jobs, watching: Watching, wakeups: Wakeups) -> None:
        self._jobs = jobs
        self._watching = watching
        self._wakeups = wakeups

    async def JobStatus(self, request: pb.JobStatusRequest, _context: Context) -> AsyncGenerator[pb.JobStatusResponse]:
        after = request.after_revision if request.HasField("after_revision") else -1
        async with aclosing(self._watching.snapshots(translate.job_id(request.name), after)) as snapshots:
            async for job in snapshots:
                yield pb.JobStatusResponse(job=translate.job(job))

    async def GetJob(self, request: pb.GetJobRequest, _context: Context) -> pb.GetJobResponse:
        wait_s = request.wait.ToTimedelta().total_seconds()
        job = await self._watching.get(translate.job_id(request.name), wait_s)
        return pb.GetJobResponse(job=translate.job(job))

    async def ListJobs(self, request: pb.ListJobsRequest, _context: Context) -> pb.ListJobsResponse:
        collection = translate.collection_id(request.collection) if request.collection else ""
        names = sorted(job_pb2.JobState.Name(state).removeprefix(STATE_PREFIX) for state in request.states)
        query = ("jobs", collection, *names)
        before = paging.decode(request.page_token, *query)
        limit = request.page_size or paging.DEFAULT_PAGE_SIZE
        wanted = JobFilter(collection, frozenset(JobState(name) for name in names if name in set(JobState)))
        jobs = await self._watching.list_jobs(wanted, before, limit + 1)
        more = paging.encode(jobs[limit - 1].order.job_id, *query) if len(jobs) > limit else ""
        return pb.ListJobsResponse(jobs=[translate.job(job) for job in jobs[:limit]], next_page_token=more)

    async def CancelJob(self, request: pb.CancelJobRequest, _context: Context) -> pb.CancelJobResponse:
        job = await self._jobs.cancel(translate.job_id(request.name), time.time())
        self._wakeups.notify("cancel")
        self._wakeups.notify("jobs")
        return pb.CancelJobResponse(job=translate.job(job))

    async def RetryJob(self, request: pb.RetryJobRequest, _context: Context) -> pb.RetryJobResponse:
        job = await self._jobs.retry(translate.job_id(request.name), time.time())
        self._wakeups.notify("queue")
        self._wakeups.notify("jobs")
        return pb.RetryJobResponse(job=translate.job(job))
