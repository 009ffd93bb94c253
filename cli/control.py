"""How other commands talk to a running `acervo up`: by a socket in its folder, in lines of JSON."""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from cli.failure import Failure

NAME = "launcher.sock"
LONGEST_S = 600.0  # between two lines of an answer

Tell = Callable[[str], None]
Answering = Callable[[Mapping[str, Any], Tell], Awaitable[dict[str, Any]]]
"""Carries a request out, tells of it on the way, and returns the end. Raises Failure."""


@asynccontextmanager
async def listening(run: Path, answer: Answering) -> AsyncIterator[None]:
    """Answer requests, as long as the block lasts."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(**line: Any) -> None:
            writer.write(json.dumps(line).encode() + b"\n")

        try:
            request = json.loads(await reader.readline())
            say(done=await answer(request, lambda text: say(told=text)))
        except Failure as failure:
            say(refused=str(failure))
        except ValueError:
            say(refused="this is no request that `acervo up` understands")
        finally:
            writer.close()

    (run / NAME).unlink(missing_ok=True)
    with _short_path(run) as path:
        server = await asyncio.start_unix_server(converse, path)
    try:
        yield
    finally:
        server.close()
        (run / NAME).unlink(missing_ok=True)


def ask(run: Path, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The lines of the answer: `told` on the way, `done` at the end. Raises Failure."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(LONGEST_S)
        try:
            with _short_path(run) as path:
                connection.connect(path)
        except OSError as error:
            raise Failure(f"no `acervo up` runs on {run.parent}: {error.strerror}") from error
        connection.sendall(json.dumps(request).encode() + b"\n")
        with connection.makefile(encoding="utf-8") as lines:
            for text in lines:
                line: dict[str, Any] = json.loads(text)
                if "refused" in line:
                    raise Failure(line["refused"])
                yield line
                if "done" in line:
                    return
    raise Failure("`acervo up` ended before it was done; nothing that was accepted is lost")


@contextmanager
def _short_path(run: Path) -> Iterator[str]:
    """The socket under a name of few characters: the kernel takes no more than 108."""
    folder = os.open(run, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{NAME}"
    finally:
        os.close(folder)
