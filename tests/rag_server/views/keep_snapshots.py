"""A program that keeps two snapshots, of 3 and of 5 changes, unless it is killed: `keep_snapshots.py FOLDER`."""

import sys
from pathlib import Path

from rag_server.views.batch import next_batch
from rag_server.views.keeping import Keeping
from rag_server.views.snapshot import Snapshots
from tests.fakes.serving_views import MODEL, library, new_views, texts


def keep_two(folder: Path) -> None:
    log = library(3)
    snapshots = Snapshots(folder, MODEL)
    snapshots.open()
    keeping, views = Keeping(snapshots), new_views(folder)
    views.clear()
    views.apply(next_batch(log, 0))
    keeping.keep(views, 3)
    log.delete("d1")
    log.publish("d7", texts("mais um processo"))
    views.apply(next_batch(log, 3))
    keeping.keep(views, 5)
    keeping.close()
    views.close()


if __name__ == "__main__":
    keep_two(Path(sys.argv[1]))
