"""When snapshots of the views are written and read again."""

import os
import threading
import time
from collections.abc import Callable, Sequence

from rag_server.ports import ChangeLog
from rag_server.views.batch import Batch
from rag_server.views.manifest import Snapshot
from rag_server.views.snapshot import Snapshots
from rag_server.views.united import Views
from serving import logs
from serving.failpoint import failpoint

# Whichever comes first since the last snapshot: what would have to be applied again after a crash.
KEEP_AFTER_CHANGES = 2_000
KEEP_AFTER_CHUNKS = 20_000
KEEP_AFTER_IDLE_S = 60.0
NICENESS = 5
LAST_WRITE_S = 20.0

_log = logs.get(__name__)


class Keeping:
    """Keeps the views through restarts. One thread calls it; the writing is done in another, one at a time."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots
        self._earlier: Snapshot | None = None
        self._kept_sequence = 0
        self.mark = ""  # of the last change that was applied
        self._chunks = 0
        self._tidied = False  # since the last snapshot
        self._changed_s = time.monotonic()
        self._writing: threading.Thread | None = None

    def open(self) -> None:
        """Take the folder for this process. Raises ViewsInUse."""
        self._snapshots.open()

    def close(self) -> None:
        """Let another process have the folder."""
        self._finish_writing()
        self._snapshots.close()

    def restore(self, views: Views, log: ChangeLog) -> int:
        """Load the newest snapshot that is whole; returns its sequence, or 0: all is to be built from the store."""
        for snapshot in self._snapshots.whole(log):
            try:
                views.restore(snapshot)
            except Exception:  # noqa: BLE001 - whatever an engine raises on a file: others have it all
                _log.exception("snapshot_not_loaded", snapshot=snapshot.folder.name)
            else:
                self._earlier, self._kept_sequence, self.mark = snapshot, snapshot.sequence, snapshot.mark
                _log.info("snapshot_loaded", sequence=snapshot.sequence)
                return snapshot.sequence
        views.clear()
        return 0

    def note(self, batch: Batch) -> None:
        """Something was applied."""
        self._chunks += batch.chunk_count
        self.mark = batch.mark
        self._changed_s = time.monotonic()

    def note_tidied(self) -> None:
        """The views became faster to search, and are otherwise as they were."""
        self._tidied = True

    def keep_if_due(self, views: Views, sequence: int) -> None:
        """Begin a snapshot if enough has changed, or something has and it is quiet now."""
        if self._writing is not None and self._writing.is_alive():
            return
        changes = sequence - self._kept_sequence
        quiet = time.monotonic() - self._changed_s >= KEEP_AFTER_IDLE_S
        if changes >= KEEP_AFTER_CHANGES or self._chunks >= KEEP_AFTER_CHUNKS or (changes > 0 and quiet):
            self.keep(views, sequence)

    def keep_last(self, views: Views, sequence: int) -> None:
        """Write what the last snapshot has not: it was not enough for one before, so it is soon done."""
        self._finish_writing()
        if sequence > self._kept_sequence or self._tidied:
            self.keep(views, sequence)

    def keep(self, views: Views, sequence: int) -> None:
        """Begin a snapshot of the views as they are now."""
        self._finish_writing()
        draft = self._snapshots.begin(sequence, self.mark)
        try:
            slow_parts = views.freeze(draft, self._earlier)
        except Exception:
            self._snapshots.drop(draft)
            raise
        self._kept_sequence, self._chunks, self._tidied = sequence, 0, False
        counts = {"chunks": sum(holding.rows for holding in views.vectors.state().holdings().values())}
        self._writing = threading.Thread(target=self._write, args=(draft, slow_parts, counts), name="snapshot")
        self._writing.start()

    def _write(self, draft: Snapshot, slow_parts: Sequence[Callable[[], None]], counts: dict[str, int]) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        try:
            for slow_part in slow_parts:
                failpoint("snapshot.before_files")
                slow_part()
            self._earlier = self._snapshots.finish(draft, counts)
            _log.info("snapshot_written", sequence=draft.sequence)
        except Exception:  # noqa: BLE001 - the edge of the thread: the next start will take longer
            _log.exception("snapshot_failed", sequence=draft.sequence)
            self._snapshots.drop(draft)

    def _finish_writing(self) -> None:
        if self._writing is not None:
            self._writing.join(LAST_WRITE_S)
