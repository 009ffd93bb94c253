"""The queue of a fake Acervo."""

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from acervo.rag.v1 import queue_service_pb2 as pb
from acervo.rag.v1.queue_service_pb2_grpc import QueueServiceServicer


class FakeQueue(QueueServiceServicer):
    """Two jobs wait; it remembers whether it is paused."""

    def __init__(self) -> None:
        self._queue = pb.Queue(queued=2, running=1, oldest_age=Duration(seconds=90))

    def GetQueue(self, request: pb.GetQueueRequest, context: grpc.ServicerContext) -> pb.GetQueueResponse:  # noqa: ARG002 - as generated
        return pb.GetQueueResponse(queue=self._queue)

    def PauseQueue(self, request: pb.PauseQueueRequest, context: grpc.ServicerContext) -> pb.PauseQueueResponse:  # noqa: ARG002 - as generated
        self._queue.paused = True
        self._queue.pause_time.CopyFrom(Timestamp(seconds=1_800_000_000))
        return pb.PauseQueueResponse(queue=self._queue)

    def ResumeQueue(self, request: pb.ResumeQueueRequest, context: grpc.ServicerContext) -> pb.ResumeQueueResponse:  # noqa: ARG002 - as generated
        self._queue.paused = False
        self._queue.ClearField("pause_time")
        return pb.ResumeQueueResponse(queue=self._queue)
