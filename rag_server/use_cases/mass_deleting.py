"""Deleting what meets a filter: a job, which goes ahead of ingestion."""

import json
import time
from dataclasses import dataclass

import uuid_utils

from rag_server.domain.filter import Filter
from rag_server.domain.filter_record import filter_to_record
from rag_server.domain.job import Job, JobKind, Order
from rag_server.ports import Documents, Jobs, Wakeups
from serving import trace

PRIORITY = 9


@dataclass(frozen=True, slots=True)
class MassDeleting:
    """Makes the jobs; the worker's Deletion carries them out."""

    jobs: Jobs
    documents: Documents
    wakeups: Wakeups

    async def ask(self, collection: str, wanted: Filter, request_id: str) -> Job:
        """The job: a new one, or that of the request id. Raises CollectionNotFound, RequestIdReused."""
        await self.documents.get_collection(collection)
        origin = trace.current()
        order = Order(
            job_id=str(uuid_utils.uuid7()),
            collection=collection,
            document_key="",
            file_name="",
            sha256="",
            size_bytes=0,
            priority=PRIORITY,
            request_id=request_id,
            traceparent=origin.traceparent,
            origin_request_id=origin.request_id,
            kind=JobKind.DELETE,
            parameters_json=json.dumps({"filter": filter_to_record(wanted)}, ensure_ascii=False, sort_keys=True),
        )
        job = await self.jobs.admit(order, time.time())
        self.wakeups.notify("queue")
        return job
