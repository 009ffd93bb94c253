"""Every write of the store is a step with a name, so that a test can kill the process before and after its commit."""

from typing import TypeVar

import apsw

from serving.failpoint import failpoint
from storage.sqlite import Database, Work

T = TypeVar("T")

STEPS = (
    "admit",
    "cancel",
    "retry",
    "sweep",
    "prune",
    "reclaim",
    "claim",
    "heartbeat",
    "fail",
    "cancelled",
    "defer",
    "release",
    "unchanged",
    "begin",
    "stage_text",
    "stage_chunks",
    "publish",
    "publish_whole",
    "publish_several",
    "delete_several",
    "finish",
    "ask",
    "publish_segment",
    "drop_retired",
    "delete",
    "delete_collection",
    "pause",
    "resume",
)
"""Failpoints are `<step>.before_commit` and `<step>.after_commit`."""


async def durably(database: Database, step: str, work: Work[T]) -> T:
    """Run a work that writes; it is on the disk when this returns."""

    def run(connection: apsw.Connection) -> T:
        result = work(connection)
        failpoint(f"{step}.before_commit")
        return result

    result = await database.write(run)
    failpoint(f"{step}.after_commit")
    return result
