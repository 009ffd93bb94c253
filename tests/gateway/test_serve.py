"""The program itself: how it begins, how it ends, and what a kill -9 leaves."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from acervo.rag.v1 import job_service_pb2
from acervo.rag.v1.ingest_service_pb2_grpc import IngestServiceStub
from acervo.rag.v1.job_service_pb2_grpc import JobServiceStub
from tests.gateway.rag_server_stand_in import RagServerStandIn
from tests.gateway.world import eventually, parts

ROOT = Path(__file__).parents[2]
DEADLINE_S = 30


@dataclass(slots=True)
class Program:
    process: asyncio.subprocess.Process
    address: str

    async def end(self, number: int) -> int:
        self.process.send_signal(number)
        async with asyncio.timeout(DEADLINE_S):
            return await self.process.wait()


def environment(folder: Path, rag_server: str, **more: str) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("ACERVO_")}
    return {
        **ours,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'generated'}",
        "ACERVO_STORE": str(folder),
        "ACERVO_GATEWAY_LISTEN": "127.0.0.1:0",
        "ACERVO_RAG_SERVER": rag_server,
        **more,
    }


@asynccontextmanager
async def program(folder: Path, rag_server: str = "127.0.0.1:1", **more: str) -> AsyncIterator[Program]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway.serve",
        env=environment(folder, rag_server, **more),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(DEADLINE_S):
            while (line := json.loads(await process.stderr.readline()))["event"] != "serving":
                pass
        reading = asyncio.create_task(process.stderr.read())
        yield Program(process, f"127.0.0.1:{line['port']}")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await reading


async def test_a_signal_ends_it_in_order(tmp_path: Path) -> None:
    async with program(tmp_path) as running, grpc.aio.insecure_channel(running.address) as channel:
        accepted = await IngestServiceStub(channel).Ingest(parts("a", b"hello"))
        request = job_service_pb2.JobStatusRequest(name=accepted.job.name)
        stream = aiter(JobServiceStub(channel).JobStatus(request))
        await anext(stream)
        # The stream does not hold it up.
        assert await running.end(signal.SIGTERM) == 0


@pytest.mark.parametrize(
    ("name", "value"), [("ACERVO_STORE", "redis://x"), ("ACERVO_GATEWAY_LISTEN", "127.0.0.1:99999")]
)
async def test_a_setting_that_cannot_be_used_ends_it_with_a_sentence(tmp_path: Path, name: str, value: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway.serve",
        env={**environment(tmp_path, "127.0.0.1:1"), name: value},
        stderr=asyncio.subprocess.PIPE,
    )
    _, told = await process.communicate()
    assert process.returncode == 78
    assert told.decode().startswith(name)
    assert told.decode().count("\n") == 1


async def test_a_port_that_is_taken_is_not_shared(tmp_path: Path) -> None:
    async with program(tmp_path / "one") as running:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "gateway.serve",
            env={**environment(tmp_path / "two", "127.0.0.1:1"), "ACERVO_GATEWAY_LISTEN": running.address},
            stderr=asyncio.subprocess.PIPE,
        )
        _, told = await process.communicate()
    assert process.returncode == 2
    assert b"cannot listen" in told


@pytest.mark.parametrize("point", ["gateway.blob_placed", "gateway.row_written", "gateway.forwarded"])
async def test_killed_anywhere_an_upload_arrives_once(tmp_path: Path, point: str) -> None:
    rag_server = RagServerStandIn()
    await rag_server.start()
    address = f"127.0.0.1:{rag_server.port}"
    acknowledged: list[str] = []

    async def upload(at: str) -> None:
        async with grpc.aio.insecure_channel(at) as channel:
            call = IngestServiceStub(channel).Ingest(parts("a", b"hello", request_id="mine"), timeout=DEADLINE_S)
            acknowledged.append((await call).job.name)

    try:
        async with program(tmp_path, address, ACERVO_FAILPOINT=point) as first:
            try:
                await upload(first.address)
            except grpc.aio.AioRpcError:
                acknowledged.clear()
            async with asyncio.timeout(DEADLINE_S):
                assert await first.process.wait() == -signal.SIGKILL
        async with program(tmp_path, address) as second:
            await upload(second.address)  # a client that heard nothing asks again
            await eventually(lambda: len(rag_server.jobs) == 1)
            assert len(set(acknowledged)) == 1
            assert {f"jobs/{job_id}" for job_id in rag_server.jobs} == set(acknowledged)
    finally:
        await rag_server.stop()
