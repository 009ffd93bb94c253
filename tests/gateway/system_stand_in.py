"""SystemService of the stand-in: all is well, and something has been counted."""

from collections.abc import AsyncGenerator

from acervo.rag.v1 import job_pb2, system_service_pb2
from acervo.rag.v1.system_service_pb2_grpc import SystemServiceServicer
from serving.interceptors import Context


class SystemStandIn(SystemServiceServicer):
    async def GetHealth(
        self, _request: system_service_pb2.GetHealthRequest, _context: Context
    ) -> system_service_pb2.GetHealthResponse:
        part = system_service_pb2.Component(name="rag_server", condition=system_service_pb2.CONDITION_OK)
        return system_service_pb2.GetHealthResponse(ready=True, components=[part])

    async def GetCounts(
        self, _request: system_service_pb2.GetCountsRequest, _context: Context
    ) -> system_service_pb2.GetCountsResponse:
        count = system_service_pb2.JobCount(state=job_pb2.JOB_STATE_FAILED, reason="ENCRYPTED", count=3)
        return system_service_pb2.GetCountsResponse(counts=[count])

    async def Verify(
        self, _request: system_service_pb2.VerifyRequest, _context: Context
    ) -> AsyncGenerator[system_service_pb2.VerifyResponse]:
        for number in ("I1", "I6"):
            found = system_service_pb2.Invariant(id=number, title="Holds.", ok=True, checked=2)
            yield system_service_pb2.VerifyResponse(invariant=found)
