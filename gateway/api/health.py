"""How the whole system is: the gateway's own parts, then what the rag_server says of itself."""

from dataclasses import dataclass

import grpc

from acervo.rag.v1 import system_service_pb2 as pb
from gateway.api import translate
from gateway.api.rag_server import RagServer
from gateway.domain.health import Condition, Part
from gateway.use_cases.examining import Examining
from serving.errors import Unavailable

ASK_S = 2.0


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen."""

    own: list[Part]
    theirs: pb.GetHealthResponse

    @property
    def components(self) -> list[pb.Component]:
        """All parts, each once, in the order in which data flows through them."""
        parts = {part.name: translate.component(part) for part in self.own}
        for component in self.theirs.components:
            known = parts.get(component.name)  # on one machine both look at the same disk
            if known is None or component.condition > known.condition:
                parts[component.name] = component
        return list(parts.values())

    @property
    def ready(self) -> bool:
        """Whether uploads and searches are served."""
        return self.theirs.ready and all(part.condition is not Condition.DOWN for part in self.own)

    @property
    def status(self) -> str:
        """`ok`, `degraded` (uploads are taken, or searches are served, or something needs a look) or `down`."""
        if any(part.condition is Condition.DOWN for part in self.own):
            return "down"
        takes_uploads = all(part.condition is Condition.OK for part in self.own if part.name == "disk")
        if not (takes_uploads or self.theirs.ready):
            return "down"
        all_well = all(component.condition == pb.CONDITION_OK for component in self.components)
        return "ok" if self.ready and all_well else "degraded"


class SystemHealth:
    """Looks at all parts."""

    def __init__(self, examining: Examining, rag_server: RagServer) -> None:
        self._examining = examining
        self._rag_server = rag_server

    async def look(self, timeout_s: float) -> Look:
        """Never fails: what does not answer is DOWN."""
        return Look(await self._examining.health(), await self._ask(min(timeout_s, ASK_S)))

    async def _ask(self, timeout_s: float) -> pb.GetHealthResponse:
        try:
            theirs = await self._rag_server.ask(self._rag_server.system.GetHealth, pb.GetHealthRequest(), timeout_s)
            answers = translate.component(Part("rag_server", Condition.OK, "Answers."))
            return pb.GetHealthResponse(ready=theirs.ready, components=[answers, *theirs.components])
        except Unavailable as error:
            detail = error.message
        except grpc.aio.AioRpcError as error:
            detail = f"It answers {error.code().name}."
        down = translate.component(Part("rag_server", Condition.DOWN, detail))
        return pb.GetHealthResponse(ready=False, components=[down])
