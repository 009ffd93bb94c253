"""Pages of jobs: those of the rag_server, with those between them that only the gateway knows."""

import json

from acervo.rag.v1 import job_pb2
from acervo.rag.v1 import job_service_pb2 as pb
from gateway.api import translate
from gateway.api.rag_server import RagServer
from gateway.domain.entry import EntryState
from gateway.ports import EntryFilter, Outbox
from serving import paging

LOCAL = (EntryState.PENDING, EntryState.REFUSED, EntryState.CANCELLED)


class JobPages:
    """Merges two lists that are both ordered by job id, the latest first."""

    def __init__(self, outbox: Outbox, rag_server: RagServer) -> None:
        self._outbox = outbox
        self._rag_server = rag_server

    async def page(self, request: pb.ListJobsRequest, timeout_s: float) -> pb.ListJobsResponse:
        """A page and the token of the next. Raises InvalidPageToken, and as the rag_server does."""
        query = ("jobs", request.collection, *map(str, sorted(set(request.states))))
        position = paging.decode(request.page_token, *query)
        before, token, exhausted = json.loads(position) if position else ("", "", False)
        limit = request.page_size or paging.DEFAULT_PAGE_SIZE
        theirs = pb.ListJobsResponse() if exhausted else await self._theirs(request, token, limit, timeout_s)
        local = await self._local(request, before, limit)
        fresh = [job for job in theirs.jobs if not before or translate.job_id(job.name) < before]
        known = {job.name for job in fresh}  # handed over between the two looks
        merged = [*fresh, *(job for job in local if job.name not in known)]
        merged.sort(key=lambda job: job.name, reverse=True)
        if theirs.next_page_token:  # what is older than their last belongs to a later page
            merged = [job for job in merged if job.name >= theirs.jobs[-1].name]
        shown = merged[:limit]
        taken = len(theirs.jobs) - len(fresh) + sum(1 for job in shown if job.name in known)
        rest = await self._after(request, token, theirs, taken, timeout_s)
        more = len(merged) > len(shown) or bool(theirs.next_page_token) or len(local) == limit
        if not more or not shown:
            return pb.ListJobsResponse(jobs=shown)
        done = taken == len(theirs.jobs) and not theirs.next_page_token
        place = json.dumps([translate.job_id(shown[-1].name), rest, done])
        return pb.ListJobsResponse(jobs=shown, next_page_token=paging.encode(place, *query))

    async def _theirs(
        self, request: pb.ListJobsRequest, token: str, size: int, timeout_s: float
    ) -> pb.ListJobsResponse:
        asked = pb.ListJobsRequest()
        asked.CopyFrom(request)
        asked.page_token, asked.page_size = token, size
        return await self._rag_server.ask(self._rag_server.jobs.ListJobs, asked, timeout_s, again=True)

    async def _after(
        self, request: pb.ListJobsRequest, token: str, theirs: pb.ListJobsResponse, taken: int, timeout_s: float
    ) -> str:
        """The rag_server's token behind the first `taken` jobs of its page; only it can make one."""
        if taken == len(theirs.jobs):
            return theirs.next_page_token
        if taken == 0:
            return token
        return (await self._theirs(request, token, taken, timeout_s)).next_page_token

    async def _local(self, request: pb.ListJobsRequest, before: str, limit: int) -> list[job_pb2.Job]:
        wanted = {state for state in LOCAL if not request.states or translate.STATES[state] in request.states}
        if not wanted:
            return []
        entry_filter = EntryFilter(request.collection.removeprefix("collections/"), frozenset(wanted))
        return [translate.job(entry) for entry in await self._outbox.list_entries(entry_filter, before, limit)]
