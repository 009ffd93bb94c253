"""A real Envoy, rendered as the launcher renders it, before a real grpc.aio server.

Everything lives in the session's event loop (see `pytestmark` in the tests): one Envoy serves all tests of the folder.
Envoy ends with the thread that started it, so it is started from the main one.
"""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from cli.supervised import LEASH
from serving.server import Server
from tests.envoy.recording_gateway import RecordingGateway

ROOT = Path(__file__).parents[2]
DESCRIPTORS = ROOT / "generated" / "acervo.binpb"
# The console script becomes the binary, with the same process id.
ENVOY = str(Path(sys.executable).parent / "envoy")
MAX_UPLOAD_BYTES = 8 * 1024 * 1024
START_S = 20.0


@dataclass(frozen=True, slots=True)
class Edge:
    """A running Envoy: where it listens, where it logs requests, and where it logs its own state."""

    address: str
    access_log: Path
    own_log: Path

    @property
    def url(self) -> str:
        return f"http://{self.address}"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def recording() -> AsyncIterator[tuple[RecordingGateway, Server]]:
    gateway = RecordingGateway()
    server = gateway.bind()
    await server.start()
    await server.ready()
    yield gateway, server
    await server.stop(drain_s=0, grace_s=0)


@pytest.fixture
def gateway(recording: tuple[RecordingGateway, Server]) -> RecordingGateway:
    return recording[0]


@pytest.fixture(scope="session")
def edge(recording: tuple[RecordingGateway, Server], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with running_envoy(recording[1].port, tmp_path_factory.mktemp("edge")) as edge:
        yield edge


@pytest.fixture
def lonely_edge(tmp_path: Path) -> Iterator[Edge]:
    """An Envoy whose gateway is not there."""
    with running_envoy(free_port(), tmp_path) as edge:
        yield edge


@pytest_asyncio.fixture(loop_scope="session")
async def client(edge: Edge) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=edge.url, timeout=20, trust_env=False) as client:
        yield client


def render(*arguments: str) -> str:
    """What the renderer writes, run as the launcher runs it."""
    command = [sys.executable, str(ROOT / "envoy" / "render.py"), "--descriptors", str(DESCRIPTORS), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


@contextlib.contextmanager
def running_envoy(gateway_port: int, folder: Path) -> Iterator[Edge]:
    """Envoy on free ports, from listening until the block ends."""
    listen, admin = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    config, log = folder / "envoy.yaml", folder / "access.jsonl"
    ends = ["--listen", listen, "--admin", admin, "--gateway", f"127.0.0.1:{gateway_port}"]
    config.write_text(render(*ends, "--max-upload-bytes", str(MAX_UPLOAD_BYTES), "--access-log", str(log)))
    command = [*LEASH, str(os.getpid()), ENVOY, "-c", str(config), "--disable-hot-restart", "--concurrency", "1"]
    # A body over the limit is logged with the whole path, query included, as an error of `http`.
    command += ["--log-level", "warning", "--component-log-level", "http:critical", "--file-flush-interval-msec", "50"]
    with (folder / "envoy.log").open("w") as output, subprocess.Popen(command, stderr=output) as process:
        try:
            wait_until_ready(process, admin, folder / "envoy.log")
            yield Edge(listen, log, folder / "envoy.log")
        finally:
            process.terminate()


def wait_until_ready(process: "subprocess.Popen[bytes]", admin: str, log: Path) -> None:
    """Until Envoy has asked the gateway how it is, and listens."""
    transport = httpx.HTTPTransport(retries=10)  # waits a little longer after each refusal
    with httpx.Client(transport=transport, timeout=START_S, trust_env=False) as client:
        while process.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                if client.get(f"http://{admin}/ready").text.strip() == "LIVE":
                    return
    pytest.fail(f"Envoy did not start:\n{log.read_text()}")


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
