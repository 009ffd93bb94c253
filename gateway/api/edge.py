"""EdgeService: what load balancers and tools ask of a web service."""

from google.api import httpbody_pb2

from acervo.gateway.v1 import edge_service_pb2 as pb
from acervo.gateway.v1.edge_service_pb2_grpc import EdgeServiceServicer
from gateway.api.health import SystemHealth
from gateway.api.rag_server import READ_S, allowed_s
from serving.interceptors import Context

UNAVAILABLE = (("x-http-code", "503"),)  # the edge turns it into the HTTP status


class EdgeApi(EdgeServiceServicer):
    """Serves health and the description of the interface."""

    def __init__(self, health: SystemHealth, open_api: bytes) -> None:
        """`open_api` is the document in JSON."""
        self._health = health
        self._open_api = open_api

    async def GetLiveness(self, _request: pb.GetLivenessRequest, _context: Context) -> pb.GetLivenessResponse:
        return pb.GetLivenessResponse(status="ok")

    async def GetReadiness(self, _request: pb.GetReadinessRequest, context: Context) -> pb.GetReadinessResponse:
        look = await self._health.look(allowed_s(context, READ_S))
        if look.status == "down":
            await context.send_initial_metadata(UNAVAILABLE)
        return pb.GetReadinessResponse(status=look.status, components=look.components)

    async def GetOpenApi(self, _request: pb.GetOpenApiRequest, _context: Context) -> pb.GetOpenApiResponse:
        body = httpbody_pb2.HttpBody(content_type="application/json", data=self._open_api)
        return pb.GetOpenApiResponse(body=body)
