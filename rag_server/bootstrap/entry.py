"""What the programs of the rag_server do first: read the settings, set the logs up, run, and say what is wrong."""

import os
import sys
from collections.abc import Callable, Coroutine

import uvloop

from rag_server.settings import Settings, read
from serving import logs
from serving.errors import Unusable

EXIT_UNUSABLE = 2


def run(program: str, work: Callable[[Settings], Coroutine[None, None, None]]) -> int:
    """Run the program and return its exit status. What an operator has to mend is told in one line."""
    status = 0
    try:
        settings = read(os.environ, os.cpu_count() or 1)
        logs.configure(program, settings.log_level)
        uvloop.run(work(settings))
    except* Unusable as group:
        for error in group.exceptions:
            sys.stderr.write(f"acervo {program}: {error}\n")
        status = EXIT_UNUSABLE
    return status
