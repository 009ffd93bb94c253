"""What the programs of the rag_server do first: read the settings, set the logs up, run, and say what is wrong."""

import os
import sys
from collections.abc import Callable, Coroutine, Iterator

import uvloop

from rag_server.settings import Settings, read
from serving import logs
from serving.errors import Unusable


def run(program: str, work: Callable[[Settings], Coroutine[None, None, None]]) -> int:
    """Run the program and return its exit status. What an operator has to mend is told in one line."""
    status = 0
    try:
        settings = read(os.environ, os.cpu_count() or 1)
        logs.configure(program, settings.log_level)
        uvloop.run(work(settings))
    except* Unusable as group:
        for error in _each(group):
            sys.stderr.write(f"acervo {program}: {error}\n")
            status = error.exit_status
    return status


def _each(group: ExceptionGroup[Unusable]) -> Iterator[Unusable]:
    """What is in a group, however deep."""
    for error in group.exceptions:
        if isinstance(error, ExceptionGroup):
            yield from _each(error)
        else:
            yield error
