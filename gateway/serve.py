"""The gateway: `python -m gateway.serve`. Settings come from ACERVO_* variables; deploy/env.example lists them."""

import asyncio
import os
import resource
import sys

import uvloop

from gateway import settings as environment
from gateway.bootstrap import running
from gateway.settings import Settings
from serving import logs
from serving.errors import Unusable
from serving.server import DRAIN_S, GRACE_S
from serving.signals import stop_requested

LOG = logs.get(__name__)


def main() -> int:
    """Serve until SIGTERM or SIGINT. The exit status is 78 where a setting cannot be used."""
    try:
        settings = environment.read(os.environ)
        logs.configure("gateway", settings.log_level)
        _allow_many_files()
        uvloop.run(_serve(settings))
    except Unusable as error:
        print(error, file=sys.stderr)  # noqa: T201 - for the operator, who may not have a log yet
        return error.exit_status
    return 0


async def _serve(settings: Settings) -> None:
    stop = stop_requested()
    async with running(settings) as gateway:
        LOG.info("serving", listen=settings.listen, port=gateway.server.port, rag_servers=settings.rag_servers)
        stopped = asyncio.create_task(stop.wait(), name="stop")
        failed = asyncio.create_task(gateway.failed(), name="failed")
        await asyncio.wait({stopped, failed}, return_when=asyncio.FIRST_COMPLETED)
        LOG.info("stopping")
        await gateway.stop(DRAIN_S, GRACE_S)
        if failed.done():
            await failed


def _allow_many_files() -> None:
    """Each upload under way has a file open, each connection a socket."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
