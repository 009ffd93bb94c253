"""The queue is shown, paused and resumed over the wire."""

from acervo.rag.v1 import queue_service_pb2 as pb
from acervo.rag.v1.queue_service_pb2_grpc import QueueServiceStub
from tests.contracts.ingesting import LEASE_S, tick
from tests.rag_server.api.conftest import Served


async def test_a_paused_queue_says_so_and_keeps_what_waits_until_it_is_resumed(served: Served) -> None:
    queue = QueueServiceStub(served.channel)
    await served.upload(b"one")
    paused = (await queue.PauseQueue(pb.PauseQueueRequest())).queue
    assert (paused.paused, paused.queued, paused.running) == (True, 1, 0)
    assert paused.HasField("pause_time")
    assert paused.HasField("oldest_age")
    assert await served.store.slot.claim("slot-0", tick(), LEASE_S) is None
    resumed = (await queue.ResumeQueue(pb.ResumeQueueRequest())).queue
    assert (resumed.paused, resumed.HasField("pause_time")) == (False, False)
    await served.work_off("one")
    assert (await queue.GetQueue(pb.GetQueueRequest())).queue == pb.Queue()
