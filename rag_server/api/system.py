"""SystemService: tells operators how the system is."""

from collections.abc import AsyncGenerator

from acervo.rag.v1 import system_service_pb2 as pb
from acervo.rag.v1.system_service_pb2_grpc import SystemServiceServicer
from rag_server.api import translate
from rag_server.use_cases.examining import Examining
from serving.interceptors import Context


class SystemApi(SystemServiceServicer):
    """Serves health, the counts of jobs and the check of the invariants."""

    def __init__(self, examining: Examining) -> None:
        self._examining = examining

    async def GetHealth(self, _request: pb.GetHealthRequest, _context: Context) -> pb.GetHealthResponse:
        components = [translate.component(part) for part in await self._examining.health()]
        ready = all(component.condition != pb.CONDITION_DOWN for component in components)
        return pb.GetHealthResponse(ready=ready, components=components)

    async def GetCounts(self, _request: pb.GetCountsRequest, _context: Context) -> pb.GetCountsResponse:
        return pb.GetCountsResponse(counts=[translate.job_count(count) for count in await self._examining.counts()])

    async def Verify(self, _request: pb.VerifyRequest, _context: Context) -> AsyncGenerator[pb.VerifyResponse]:
        async for invariant in self._examining.verify():
            yield pb.VerifyResponse(invariant=translate.invariant(invariant))
