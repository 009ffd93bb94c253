"""JobService: the gateway speaks of jobs that wait here, the rag_server of all others."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from acervo.rag.v1 import job_pb2
from acervo.rag.v1 import job_service_pb2 as pb
from acervo.rag.v1.job_service_pb2_grpc import JobServiceServicer
from gateway.api import translate
from gateway.api.job_pages import JobPages
from gateway.api.rag_server import RagServer, allowed_s
from gateway.use_cases.following import Following
from gateway.use_cases.steering import Steering
from serving.interceptors import Context

ANSWER_S = 0.25  # kept back from a client's deadline, so that a wait ends with an answer


class JobApi(JobServiceServicer):
    """Serves jobs."""

    def __init__(
        self, following: Following[job_pb2.Job], steering: Steering, pages: JobPages, rag_server: RagServer
    ) -> None:
        self._following = following
        self._steering = steering
        self._pages = pages
        self._rag_server = rag_server

    async def JobStatus(self, request: pb.JobStatusRequest, _context: Context) -> AsyncGenerator[pb.JobStatusResponse]:
        after = request.after_revision if request.HasField("after_revision") else None
        async with aclosing(self._following.follow(translate.job_id(request.name), after)) as snapshots:
            async for snapshot in snapshots:
                yield pb.JobStatusResponse(job=snapshot.content)

    async def GetJob(self, request: pb.GetJobRequest, context: Context) -> pb.GetJobResponse:
        job_id = translate.job_id(request.name)
        wait_s = allowed_s(context, request.wait.ToTimedelta().total_seconds() + ANSWER_S) - ANSWER_S
        if wait_s > 0:
            return pb.GetJobResponse(job=(await self._following.until_ended(job_id, wait_s)).content)
        entry = await self._steering.local(job_id)
        if entry is not None:
            return pb.GetJobResponse(job=translate.job(entry))
        asked = pb.GetJobRequest(name=await self._name(job_id))
        return await self._rag_server.ask(self._rag_server.jobs.GetJob, asked, allowed_s(context), again=True)

    async def ListJobs(self, request: pb.ListJobsRequest, context: Context) -> pb.ListJobsResponse:
        return await self._pages.page(request, allowed_s(context))

    async def CancelJob(self, request: pb.CancelJobRequest, context: Context) -> pb.CancelJobResponse:
        job_id = translate.job_id(request.name)
        entry = await self._steering.cancel(job_id)
        if entry is not None:
            return pb.CancelJobResponse(job=translate.job(entry))
        asked = pb.CancelJobRequest(name=await self._name(job_id))
        return await self._rag_server.ask(self._rag_server.jobs.CancelJob, asked, allowed_s(context))

    async def RetryJob(self, request: pb.RetryJobRequest, context: Context) -> pb.RetryJobResponse:
        job_id = translate.job_id(request.name)
        entry = await self._steering.retry(job_id)
        if entry is not None:
            return pb.RetryJobResponse(job=translate.job(entry))
        asked = pb.RetryJobRequest(name=await self._name(job_id))
        return await self._rag_server.ask(self._rag_server.jobs.RetryJob, asked, allowed_s(context))

    async def _name(self, job_id: str) -> str:
        return f"jobs/{await self._steering.known_as(job_id)}"
