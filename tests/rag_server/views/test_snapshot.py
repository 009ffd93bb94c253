"""A snapshot is loaded as it was written, or not at all."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rag_server.views.keeping import Keeping
from rag_server.views.manifest import MANIFEST, ModelOfVectors, SnapshotDamaged, verify
from rag_server.views.pair import Views
from rag_server.views.snapshot import CURRENT, Snapshots, ViewsInUse
from tests.fakes.change_log import MemoryChangeLog
from tests.fakes.serving_views import MODEL, following, library, new_views, texts

LONG_S = 20.0
ROOT = Path(__file__).parents[3]
CHILD = Path(__file__).with_name("keep_snapshots.py")
FAILPOINTS = (
    "snapshot.before_files",
    "snapshot.before_manifest",
    "snapshot.before_rename",
    "snapshot.before_current",
    "snapshot.before_prune",
)


def loaded(folder: Path, last_sequence: int, model: ModelOfVectors = MODEL) -> tuple[int, list[int]]:
    """What a start would load: the sequence and the chunks in both views."""
    snapshots = Snapshots(folder, model)
    snapshots.open()
    views = new_views(folder)
    try:
        sequence = Keeping(snapshots).restore(views, last_sequence)
        state = views.state(sequence)
        assert state.vectors.chunk_ids().tolist() == state.words.chunk_ids().tolist()
        return sequence, state.vectors.chunk_ids().tolist()
    finally:
        views.close()
        snapshots.close()


def kept(log: MemoryChangeLog, folder: Path, *sequences: int) -> None:
    """Write a snapshot at each of the sequences."""
    snapshots = Snapshots(folder, MODEL)
    snapshots.open()
    keeping, views = Keeping(snapshots), new_views(folder)
    views.clear()
    position = 0
    for sequence in sequences:
        _apply(log, views, position, sequence)
        keeping.keep(views, sequence)
        position = sequence
    keeping.close()
    views.close()


def _apply(log: MemoryChangeLog, views: Views, after: int, until: int) -> None:
    from rag_server.views.batch import next_batch

    while after < until:
        batch = next_batch(_Until(log, until), after)  # type: ignore[arg-type]
        views.apply(batch.documents)
        after = batch.last_sequence


class _Until:
    """A change log up to a sequence."""

    def __init__(self, log: MemoryChangeLog, until: int) -> None:
        self.log = log
        self.until = until
        self.chunks_of = log.chunks_of

    def changes(self, after: int, limit: int) -> object:
        return self.log.changes(after, min(limit, self.until - after))
