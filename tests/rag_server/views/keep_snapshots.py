"""A program that keeps two snapshots, of 3 and of 5 changes, unless it is killed: `keep_snapshots.py FOLDER`."""

import sys
from pathlib import Path

from rag_server.views.batch import next_batch
from rag_server.views.keeping import Keeping
from rag_server.views.snapshot import Snapshots
from rag_server.views.united import Views
from tests.fakes.change_log import MemoryChangeLog
from tests.fakes.serving_views import MODEL, library, new_views, texts


def keep_two(folder: Path) -> None:
    log = library(3)
    snapshots = Snapshots(folder, MODEL)
    snapshots.open()
    keeping, views = Keeping(snapshots), new_views(folder)
    views.clear()
    _apply(log, 0, views, keeping)
    keeping.keep(views, 3)
    go_on(log)
    _apply(log, 3, views, keeping)
    keeping.keep(views, 5)
    keeping.close()
    views.close()


def _apply(log: MemoryChangeLog, after: int, views: Views, keeping: Keeping) -> None:
    batch = next_batch(log, after)
    views.apply(batch)
    keeping.note(batch)


def go_on(log: MemoryChangeLog) -> None:
    """The two changes after the first three."""
    log.delete("d1")
    log.publish("d7", texts("mais um processo"))


if __name__ == "__main__":
    keep_two(Path(sys.argv[1]))
