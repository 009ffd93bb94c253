"""What both ways of uploading do at their end: promise a job, and tell it."""

import time

import grpc
import uuid_utils

from acervo.rag.v1 import job_pb2, job_service_pb2
from gateway.api import translate
from gateway.api.rag_server import RagServer
from gateway.domain import principal
from gateway.domain.entry import Entry, Origin
from gateway.domain.errors import RagServerUnavailable
from gateway.domain.upload import Upload
from gateway.use_cases.taking_in import TakingIn
from serving import logs, trace
from storage.blobs import Blob

LOG = logs.get(__name__)
LOOK_S = 1.0  # for what makes an answer better but not possible


class Accepting:
    """Accepts what has been received."""

    def __init__(self, taking_in: TakingIn, rag_server: RagServer) -> None:
        self._taking_in = taking_in
        self._rag_server = rag_server

    async def accept(self, upload: Upload, blob: Blob) -> job_pb2.Job:
        """The job: a new one, or the one of its request id. Raises RequestIdReused, StorageUnavailable."""
        request = trace.current()
        origin = Origin(request.traceparent, request.request_id)
        job_id = str(uuid_utils.uuid7())
        entry = await self._taking_in.accept(upload, blob, origin, job_id, time.time())
        is_new = entry.job_id == job_id
        who = principal.CURRENT.get().name
        LOG.info("upload accepted", job=entry.job_id, size_bytes=blob.size_bytes, new=is_new, principal=who)
        return translate.job(entry) if is_new else await self.told(entry)

    async def told(self, entry: Entry) -> job_pb2.Job:
        """The job of an earlier entry, by who speaks of it; QUEUED where the rag_server cannot be asked now."""
        if not entry.is_local:
            request = job_service_pb2.GetJobRequest(name=f"jobs/{entry.known_as}")
            try:
                return (await self._rag_server.ask(self._rag_server.jobs.GetJob, request, LOOK_S)).job
            except (RagServerUnavailable, grpc.aio.AioRpcError) as error:
                LOG.info("job not looked up", job=entry.job_id, cause=type(error).__name__)
        return translate.job(entry)
