"""The thread that keeps the views in step with the change log."""

import os
import threading
import time
from collections.abc import Callable

from rag_server.domain.errors import NotReady
from rag_server.index_ports import IndexState, NothingApplied
from rag_server.ports import ChangeLog
from rag_server.views.batch import Batch, GapInLog, next_batch
from rag_server.views.keeping import Keeping
from rag_server.views.united import Views, same_chunks
from rag_server.views.waiting import Waiters
from serving import logs

POLL_S = 0.3  # what a lost nudge costs
NICENESS = 5  # searches go first
# A portion costs a commit, of one document as of hundreds. So while more is on its way, what comes within so many
# times as long as the last portion took is applied together.
GATHERED_TIMES = 5.0
LONGEST_GATHERED_S = 0.15
TIDY_AFTER_S = 1.0  # without a change
PAUSES_S = (0.1, 0.5, 2.0, 10.0, 60.0)  # after the first, second … failure in a row
STOP_S = 30.0

_log = logs.get(__name__)


class Follower:
    """Implements the port Indexes. Applies changes in order and never skips one: what fails is built anew."""

    def __init__(self, log: ChangeLog, views: Views, keeping: Keeping) -> None:
        self._log = log
        self._views = views
        self._keeping = keeping
        self._position = 0  # of the views; what readers see may be older
        self._state: IndexState | None = None
        self._shown_from = 0  # a view that is built anew is shown from here on, what was there is shown until then
        self._sound = False  # whether the views are what the position says
        self._compared = False
        self._level_s = time.monotonic()  # when nothing was waiting
        self._failures = 0
        self._took_s = 0.0  # to apply the last portion
        self._applied_s = 0.0  # when that ended
        self._poked = threading.Event()
        self._waiters = Waiters(lambda: self.applied_sequence, self._poked.set)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)

    def start(self) -> None:
        """Begin to follow, in a thread of its own. Raises ViewsInUse."""
        self._keeping.open()
        self._thread.start()

    def stop(self) -> None:
        """Finish what is being applied, keep a last snapshot and let go of everything. Blocks."""
        self._stopping.set()
        self._poked.set()
        if self._thread.ident is not None:
            self._thread.join(STOP_S)

    def poke(self) -> None:
        """Something changed, look at once. From any thread."""
        self._poked.set()

    def current(self) -> IndexState:
        if self._state is None:
            raise NotReady
        return self._state

    @property
    def applied_sequence(self) -> int:
        return -1 if self._state is None else self._state.sequence

    @property
    def behind_s(self) -> float:
        """For how long changes have been waiting; 0 where none do."""
        if self._log.last_sequence() <= self.applied_sequence:
            return 0.0
        return time.monotonic() - self._level_s

    async def wait_for(self, sequence: int, timeout_s: float) -> bool:
        return await self._waiters.wait_for(sequence, timeout_s)

    async def wait_patiently(self, sequence: int, timeout_s: float) -> bool:
        return await self._waiters.wait_for(sequence, timeout_s, patiently=True)

    def _run(self) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        try:
            self._attempt(self._restore)
            while not self._stopping.is_set():
                self._attempt(self._advance)
            self._attempt(self._keep_last)
        finally:
            self._keeping.close()
            self._views.close()

    def _attempt(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - the edge of the thread: readers keep the last good state
            _log.exception("follower_failed", position=self._position)
            self._sound = self._sound and not isinstance(error, GapInLog)
            self._stopping.wait(PAUSES_S[min(self._failures, len(PAUSES_S) - 1)])
            self._failures += 1

    def _restore(self) -> None:
        self._position = self._keeping.restore(self._views, self._log)
        self._sound = True
        self._show()

    def _build_anew(self) -> None:
        _log.warning("views_built_anew", position=self._position)
        self._shown_from = min(self.applied_sequence, self._log.last_sequence())
        self._views.clear()
        self._position = 0
        self._sound = self._compared = True

    def _advance(self) -> None:
        """Apply what waits, or wait for it."""
        if not self._sound:
            self._build_anew()
        begun_s = time.monotonic()
        batch = next_batch(self._log, self._position, self._keeping.mark if self._position else "")
        if batch.change_count:
            self._apply(batch)
            self._took_s = time.monotonic() - begun_s
        else:
            self._compare()
            self._tidy_if_quiet()
        self._keeping.keep_if_due(self._views, self._position)
        if batch.is_all:
            self._level_s = begun_s
            self._failures = 0
            if batch.change_count or self._poked.wait(POLL_S):
                self._gather()

    def _gather(self) -> None:
        """Let more come, as long as more is on its way and nobody is in a hurry."""
        self._poked.clear()
        end_s = time.monotonic() + min(GATHERED_TIMES * self._took_s, LONGEST_GATHERED_S)
        while self._waiters.are_patient and self._log.is_growing() and not self._stopping.is_set():
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                return
            self._poked.wait(left_s)
            self._poked.clear()

    def _apply(self, batch: Batch) -> None:
        self._sound = False
        try:
            self._views.apply(batch)
        except NothingApplied:
            self._sound = True
            raise
        self._position = batch.last_sequence
        self._applied_s = time.monotonic()
        self._sound = True
        self._keeping.note(batch)
        if self._position >= self._shown_from:
            self._show()

    def _show(self) -> None:
        self._state = self._views.state(self._position)
        self._waiters.wake()

    def _tidy_if_quiet(self) -> None:
        if time.monotonic() - self._applied_s < TIDY_AFTER_S:
            return
        self._sound = False
        if self._views.tidy():
            self._keeping.note_tidied()
            self._show()
        self._sound = True

    def _compare(self) -> None:
        """Once after a start: a snapshot may be whole and yet of another history of the store."""
        if self._compared:
            return
        same = same_chunks(self.current(), self._log)
        if same is False:
            raise GapInLog("the views have other chunks than the store")
        self._compared = same is True

    def _keep_last(self) -> None:
        if self._sound:
            self._keeping.keep_last(self._views, self._position)
