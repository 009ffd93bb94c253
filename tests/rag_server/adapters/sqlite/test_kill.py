"""kill -9 at every durable step: nothing is lost, nothing happens twice."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rag_server.adapters.sqlite.integrity import SqliteIntegrity
from rag_server.adapters.sqlite.steps import STEPS
from rag_server.domain.document import ChangeKind
from rag_server.domain.job import DocumentCounts, IngestOutcome, JobState
from storage.migrations import upgrade
from tests.contracts.ingesting import found_texts
from tests.fakes.store_ports import MIGRATIONS, open_database, sqlite_ports
from tests.rag_server.adapters.sqlite import ingestion_script
from tests.rag_server.adapters.sqlite.ingestion_script import (
    AGAIN,
    CONTENTS,
    DELETE,
    FOUND,
    ORDERS,
    SEGMENT,
    TEXTS,
    ordered,
)

PROGRAM = [sys.executable, "-m", ingestion_script.__name__]
FAILPOINTS = [f"{step}.{moment}" for step in STEPS for moment in ("before_commit", "after_commit")]
AT_ONCE = 4  # programs; most of their time is spent on starting


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "rag_server.db"
    upgrade(path, MIGRATIONS)
    return path


def _start(database: Path, failpoint: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([*PROGRAM, str(database)], env={**os.environ, "ACERVO_FAILPOINT": failpoint})


async def _check_all_is_done_once(path: Path) -> None:
    async with open_database(path) as database:
        store = sqlite_ports(database)
        jobs = {each.job_id: await store.jobs.get(each.job_id) for each in ORDERS}
        states = {key: jobs[ordered(key, "").job_id].state for key in CONTENTS}
        not_found = {"bad": JobState.FAILED, "unwanted": JobState.CANCELLED, "called-off": JobState.CANCELLED}
        assert states == {key: not_found.get(key, JobState.SUCCEEDED) for key in CONTENTS}
        assert jobs[AGAIN.job_id].outcome is IngestOutcome.UNCHANGED
        assert sum((await store.jobs.counts()).values()) == len(ORDERS) + 1
        segments = await store.segments.current(SEGMENT.collection)
        assert (len(segments), (await store.jobs.get(SEGMENT.job_id)).state) == (1, JobState.SUCCEEDED)
        assert sorted(found_texts(store)) == sorted(set_aside(FOUND, CONTENTS["plain-3"].split()))
        kinds = [change.kind for change in store.change_log.changes(0, 99)]
        assert kinds.count(ChangeKind.PUBLISHED) == 11
        assert kinds.count(ChangeKind.DELETED) == 3
        assert kinds.count(ChangeKind.SEGMENT) == 1
        assert jobs[TEXTS.job_id].result == DocumentCounts(created=3)
        assert jobs[DELETE.job_id].result == DocumentCounts(deleted=1)
        found = await SqliteIntegrity(database, time.time).check()
        assert all(invariant.ok for invariant in found), found
        leftover = "SELECT count(*) FROM version WHERE state <> 'CURRENT'"
        assert await database.read(lambda connection: connection.execute(leftover).get) == 0


def set_aside(words: list[str], unwanted: list[str]) -> list[str]:
    """The words without one of each unwanted."""
    left = list(words)
    for word in unwanted:
        left.remove(word)
    return left


async def test_a_kill_at_any_step_loses_and_doubles_nothing(empty_database: Path, tmp_path: Path) -> None:
    for first in range(0, len(FAILPOINTS), AT_ONCE):
        running = []
        for failpoint in FAILPOINTS[first : first + AT_ONCE]:
            path = tmp_path / failpoint / "rag_server.db"
            path.parent.mkdir()
            shutil.copy(empty_database, path)
            running.append((path, failpoint, _start(path, failpoint)))
        for path, failpoint, program in running:
            assert program.wait(60) == -signal.SIGKILL, f"{failpoint} was not passed"
            await ingestion_script.run(path)
            await _check_all_is_done_once(path)


async def test_kill_after_kill_loses_and_doubles_nothing(empty_database: Path, tmp_path: Path) -> None:
    path = tmp_path / "rag_server.db"
    shutil.copy(empty_database, path)
    for failpoint in (
        "admit.after_commit:5",
        "claim.after_commit:2",
        "stage_chunks.before_commit:7",
        "publish.before_commit:3",
        "publish.after_commit:3",
        "reclaim.after_commit",
        "claim.before_commit",
        "delete.after_commit",
        "drop_retired.before_commit",
    ):
        assert _start(path, failpoint).wait(60) == -signal.SIGKILL
    await ingestion_script.run(path)
    await _check_all_is_done_once(path)
