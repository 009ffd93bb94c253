"""The queue of a small rag_server."""

from acervo.rag.v1 import queue_service_pb2 as pb
from acervo.rag.v1.queue_service_pb2_grpc import QueueServiceServicer
from serving.interceptors import Context


class QueueStandIn(QueueServiceServicer):
    """One queue, which remembers whether it is paused."""

    def __init__(self) -> None:
        self._queue = pb.Queue(queued=3)

    async def GetQueue(self, _request: pb.GetQueueRequest, _context: Context) -> pb.GetQueueResponse:
        return pb.GetQueueResponse(queue=self._queue)

    async def PauseQueue(self, _request: pb.PauseQueueRequest, _context: Context) -> pb.PauseQueueResponse:
        self._queue.paused = True
        return pb.PauseQueueResponse(queue=self._queue)

    async def ResumeQueue(self, _request: pb.ResumeQueueRequest, _context: Context) -> pb.ResumeQueueResponse:
        self._queue.paused = False
        return pb.ResumeQueueResponse(queue=self._queue)
