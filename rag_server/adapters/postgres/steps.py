"""Every write of the store is a step with a name, so that a test can kill the process before and after its commit."""

from typing import TypeVar

from serving.failpoint import failpoint
from storage.postgres import Connection, PostgresDatabase, Work

T = TypeVar("T")


async def durably(database: PostgresDatabase, step: str, work: Work[T]) -> T:
    """Run a work that writes; it is on the server's disk when this returns. The steps are those of SQLite's."""

    async def run(connection: Connection) -> T:
        result = await work(connection)
        failpoint(f"{step}.before_commit")
        return result

    result = await database.write(run)
    failpoint(f"{step}.after_commit")
    return result
