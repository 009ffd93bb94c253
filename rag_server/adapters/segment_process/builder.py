"""Builds segments in a process of their own: its memory goes back, it gives way to everybody, and it can be stopped."""

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag_server.adapters.faiss.segment_file import SegmentDamaged, map_file
from rag_server.adapters.segment_process.frames import NO_MORE, encode_rows
from rag_server.segment_ports import BuildFailed, SegmentBuild, VectorRows

MODULE = "rag_server.segment"
OnProgress = Callable[[int, int], None]


class SegmentProcesses:
    """Implements the port SegmentBuilder. To be used on the event loop of the main thread: children die with it."""

    def __init__(self, dimensions: int, model: str) -> None:
        self._dimensions = dimensions
        self._model = model

    async def begin(self, path: Path, expected_rows: int, on_progress: OnProgress) -> SegmentBuild:
        arguments = {
            "path": str(path),
            "dimensions": self._dimensions,
            "model": self._model,
            "expected_rows": expected_rows,
            "parent_pid": os.getpid(),
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            MODULE,
            json.dumps(arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        return _Child(process, scratch_of(path), on_progress)

    def chunk_ids(self, path: Path, sha256: str) -> NDArray[np.int64]:
        try:
            opened = map_file(path)
        except (OSError, SegmentDamaged) as error:
            raise BuildFailed(f"{path.name} cannot be read") from error
        if hashlib.sha256(opened.mapped.data).hexdigest() != sha256:
            raise BuildFailed(f"{path.name} is not what its name says")
        return opened.chunk_ids


def scratch_of(path: Path) -> Path:
    """Where the rows are while a segment is built at `path`."""
    return path.with_name(f"{path.name}.rows")


class _Child:
    """Implements the port SegmentBuild."""

    def __init__(self, process: asyncio.subprocess.Process, scratch: Path, on_progress: OnProgress) -> None:
        assert process.stdin is not None and process.stdout is not None  # noqa: PT018, S101 - they are pipes
        self._process = process
        self._input = process.stdin
        self._scratch = scratch
        self._reading = asyncio.create_task(_answer(process.stdout, on_progress), name="segment progress")

    async def add(self, rows: VectorRows) -> None:
        await self._write(await asyncio.to_thread(encode_rows, rows))

    async def finish(self) -> int:
        await self._write(NO_MORE)
        rows = await self._reading
        status = await self._process.wait()
        if status != 0 or rows is None:
            raise BuildFailed(f"the builder ended with status {status}")
        return rows

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    async def end(self) -> None:
        self._signal(signal.SIGKILL)
        self._input.close()
        await self._process.wait()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        self._scratch.unlink(missing_ok=True)

    async def _write(self, data: bytes) -> None:
        try:
            self._input.write(data)
            await self._input.drain()
        except ConnectionError as error:
            raise BuildFailed("the builder is gone") from error

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)


async def _answer(stream: asyncio.StreamReader, on_progress: OnProgress) -> int | None:
    """The number of rows that the child tells in the end; None where it ends without."""
    async for line in stream:
        told: dict[str, Any] = json.loads(line)
        if "rows" in told:
            return int(told["rows"])
        on_progress(told["done"], told["total"])
    return None
