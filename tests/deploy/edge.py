"""A real Envoy, as its image starts it, before a gateway that is not there."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.deploy.dockerfile import ROOT
from tests.servers.process import free_port

EDGE = ROOT / "deploy" / "docker" / "edge.py"
DRAIN_S = 2
LARGEST_BYTES = 1_000_000
DEADLINE_S = 30.0


@dataclass(frozen=True, slots=True)
class Running:
    process: "subprocess.Popen[bytes]"
    edge: str
    figures: str

    def ready(self) -> int:
        """What `/ready` answers; 0 where nobody listens."""
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.figures}/ready", trust_env=False).status_code
        return 0

    def until_ready_is(self, status: int) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while self.ready() != status:
            assert time.monotonic() < deadline
            assert self.process.poll() is None


@contextlib.contextmanager
def running_edge(folder: Path) -> Iterator[Running]:
    edge, figures, admin, gateway = (f"127.0.0.1:{free_port()}" for _ in range(4))
    command = [sys.executable, str(EDGE), "--listen", edge, "--gateway", gateway, "--metrics", figures]
    command += ["--admin", admin, "--config", str(folder / "envoy.yaml")]
    command += ["--drain-s", str(DRAIN_S), "--concurrency", "1"]
    environment = {**os.environ, "ACERVO_MAX_UPLOAD_BYTES": str(LARGEST_BYTES)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        running = Running(process, f"http://{edge}", f"http://{figures}")
        try:
            running.until_ready_is(200)
            yield running
        finally:
            process.kill()
