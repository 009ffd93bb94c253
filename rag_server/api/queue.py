"""QueueService: shows the job queue and pauses it."""

import time

from acervo.rag.v1 import queue_service_pb2 as pb
from acervo.rag.v1.queue_service_pb2_grpc import QueueServiceServicer
from rag_server.api import translate
from rag_server.ports import Wakeups
from rag_server.queue_ports import Queueing
from serving.interceptors import Context


class QueueApi(QueueServiceServicer):
    """Serves the queue as a whole."""

    def __init__(self, queueing: Queueing, wakeups: Wakeups) -> None:
        self._queueing = queueing
        self._wakeups = wakeups

    async def GetQueue(self, _request: pb.GetQueueRequest, _context: Context) -> pb.GetQueueResponse:
        return pb.GetQueueResponse(queue=await self._queue())

    async def PauseQueue(self, _request: pb.PauseQueueRequest, _context: Context) -> pb.PauseQueueResponse:
        await self._queueing.pause(time.time())
        return pb.PauseQueueResponse(queue=await self._queue())

    async def ResumeQueue(self, _request: pb.ResumeQueueRequest, _context: Context) -> pb.ResumeQueueResponse:
        await self._queueing.resume()
        self._wakeups.notify("queue")
        return pb.ResumeQueueResponse(queue=await self._queue())

    async def _queue(self) -> pb.Queue:
        queue = await self._queueing.look(time.time())
        return pb.Queue(
            paused=queue.pause_time is not None,
            pause_time=translate.timestamp(queue.pause_time),
            queued=queue.queued,
            running=queue.running,
            oldest_age=translate.duration(queue.oldest_age_s),
        )
