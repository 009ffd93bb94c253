import asyncio
import threading

from rag_server.views.waiting import Waiters


class _Counter:
    def __init__(self) -> None:
        self.applied = 0
        self.hurries = 0
        self.waiters = Waiters(lambda: self.applied, self._hurry)

    def _hurry(self) -> None:
        self.hurries += 1

    def reach(self, sequence: int) -> None:
        self.applied = sequence
        self.waiters.wake()


async def test_what_is_reached_is_not_waited_for() -> None:
    counter = _Counter()
    counter.reach(5)
    assert await counter.waiters.wait_for(5, 0.0)


async def test_a_thread_that_reaches_it_wakes_those_who_wait() -> None:
    counter = _Counter()
    waiting = [asyncio.create_task(counter.waiters.wait_for(sequence, 10)) for sequence in (1, 2, 3)]
    await asyncio.sleep(0)
    await asyncio.to_thread(counter.reach, 2)
    assert await waiting[0]
    assert await waiting[1]
    assert not waiting[2].done()
    await asyncio.to_thread(counter.reach, 3)
    assert await waiting[2]


async def test_the_time_being_over_is_no_error() -> None:
    assert not await _Counter().waiters.wait_for(1, 0.01)


async def test_none_is_missed_between_looking_and_waiting() -> None:
    counter = _Counter()

    def reach_all() -> None:
        for n in range(2_001):
            counter.reach(n)

    thread = threading.Thread(target=reach_all)
    thread.start()
    assert all([await counter.waiters.wait_for(n, 10) for n in range(0, 2_001, 50)])
    thread.join()


async def test_one_who_gives_up_is_forgotten() -> None:
    counter = _Counter()
    task = asyncio.create_task(counter.waiters.wait_for(1, 10))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not counter.waiters._waiters


async def test_only_who_is_not_patient_hurries() -> None:
    counter = _Counter()
    patient = asyncio.create_task(counter.waiters.wait_for(1, 10, patiently=True))
    await asyncio.sleep(0)
    assert (counter.hurries, counter.waiters.are_patient) == (0, True)
    other = asyncio.create_task(counter.waiters.wait_for(1, 10))
    await asyncio.sleep(0)
    assert (counter.hurries, counter.waiters.are_patient) == (1, False)
    counter.reach(1)
    assert await patient
    assert await other
    assert counter.waiters.are_patient
