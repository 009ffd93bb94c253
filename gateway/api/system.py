"""SystemService: the rag_server's answers with the gateway's own parts in them."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from acervo.rag.v1 import system_service_pb2 as pb
from acervo.rag.v1.system_service_pb2_grpc import SystemServiceServicer
from gateway.api import translate
from gateway.api.health import SystemHealth
from gateway.api.rag_server import READ_S, RagServer, allowed_s
from gateway.use_cases.verifying import Verifying
from serving.interceptors import Context

VERIFY_S = 115.0


class SystemApi(SystemServiceServicer):
    """Serves health, the counts of jobs and the check of the invariants."""

    def __init__(self, health: SystemHealth, verifying: Verifying, rag_server: RagServer) -> None:
        self._health = health
        self._verifying = verifying
        self._rag_server = rag_server

    async def GetHealth(self, _request: pb.GetHealthRequest, context: Context) -> pb.GetHealthResponse:
        look = await self._health.look(allowed_s(context, READ_S))
        return pb.GetHealthResponse(ready=look.ready, components=look.components)

    async def GetCounts(self, request: pb.GetCountsRequest, context: Context) -> pb.GetCountsResponse:
        get_counts = self._rag_server.system.GetCounts
        return await self._rag_server.ask(get_counts, request, allowed_s(context, READ_S), again=True)

    async def Verify(self, request: pb.VerifyRequest, context: Context) -> AsyncGenerator[pb.VerifyResponse]:
        """Each invariant once: where both look at one, what they found is put together."""
        verify = self._rag_server.stream(self._rag_server.system.Verify, request, allowed_s(context, VERIFY_S))
        own = {found.id: translate.invariant(found) for found in await self._verifying.verify()}
        async with aclosing(verify) as responses:
            async for response in responses:
                mine = own.pop(response.invariant.id, None)
                yield response if mine is None else pb.VerifyResponse(invariant=_joined(response.invariant, mine))
        for invariant in own.values():
            yield pb.VerifyResponse(invariant=invariant)


def _joined(theirs: pb.Invariant, mine: pb.Invariant) -> pb.Invariant:
    return pb.Invariant(
        id=theirs.id,
        title=f"{theirs.title} {mine.title}",
        ok=theirs.ok and mine.ok,
        checked=theirs.checked + mine.checked,
        detail="; ".join(detail for detail in (theirs.detail, mine.detail) if detail),
    )
