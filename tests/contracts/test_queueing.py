"""What every implementation of the port Queueing does."""

from rag_server.domain.queue import Queue
from tests.contracts.ingesting import LEASE_S, claim, order, tick
from tests.fakes.store_ports import StorePorts


async def test_a_queue_that_nobody_paused_is_open_and_empty(store: StorePorts) -> None:
    assert await store.queueing.look(tick()) == Queue(None, 0, 0, None)


async def test_a_paused_queue_gives_nothing_until_it_is_resumed(store: StorePorts) -> None:
    await store.jobs.admit(order(), 1.0)
    await store.queueing.pause(2.0)
    assert await store.slot.claim("slot-0", 3.0, LEASE_S) is None
    assert not await store.slot.documents_wait(3.0)
    assert await store.queueing.look(5.0) == Queue(2.0, 1, 0, 4.0)
    await store.queueing.resume()
    assert await store.slot.documents_wait(6.0)
    assert (await claim(store, now=6.0)).job.order.document_key == order().document_key
    assert await store.queueing.look(7.0) == Queue(None, 0, 1, None)


async def test_what_runs_goes_on_through_a_pause(store: StorePorts) -> None:
    await store.jobs.admit(order(), tick())
    claimed = await claim(store, now=10.0)
    await store.queueing.pause(11.0)
    assert await store.slot.heartbeat(claimed, claimed.job.progress, 12.0, LEASE_S) is False
    await store.slot.release(claimed, 13.0)
    assert await store.slot.claim("slot-0", 14.0, LEASE_S) is None


async def test_pausing_again_does_not_change_since_when(store: StorePorts) -> None:
    for now in (5.0, 6.0):
        await store.queueing.pause(now)
    assert (await store.queueing.look(7.0)).pause_time == 5.0
    for _ in range(2):
        await store.queueing.resume()
    assert (await store.queueing.look(8.0)).pause_time is None
