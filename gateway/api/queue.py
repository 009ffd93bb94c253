"""QueueService: passed on."""

from acervo.rag.v1 import queue_service_pb2 as pb
from acervo.rag.v1.queue_service_pb2_grpc import QueueServiceServicer
from gateway.api.rag_server import RagServer, allowed_s
from serving.interceptors import Context


class QueueApi(QueueServiceServicer):
    """Serves the queue of the rag_servers. What waits in the outbox is not in it."""

    def __init__(self, rag_server: RagServer) -> None:
        self._rag_server = rag_server

    async def GetQueue(self, request: pb.GetQueueRequest, context: Context) -> pb.GetQueueResponse:
        return await self._rag_server.ask(self._rag_server.queue.GetQueue, request, allowed_s(context), again=True)

    async def PauseQueue(self, request: pb.PauseQueueRequest, context: Context) -> pb.PauseQueueResponse:
        return await self._rag_server.ask(self._rag_server.queue.PauseQueue, request, allowed_s(context))

    async def ResumeQueue(self, request: pb.ResumeQueueRequest, context: Context) -> pb.ResumeQueueResponse:
        return await self._rag_server.ask(self._rag_server.queue.ResumeQueue, request, allowed_s(context))
