"""The programs of Acervo on one machine: their commands, settings and ports."""

import os
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli import readiness
from cli.failure import Failure
from cli.run_folder import RunFolder, last_line
from cli.supervised import Program

HOST = "127.0.0.1"
ROOT = Path(__file__).parents[1]
RENDER = ROOT / "envoy" / "render.py"
DESCRIPTORS = ROOT / "generated" / "acervo.binpb"
WORKER_SETTLES_S = 0.5
RENDER_S = 30.0
FREED_S = 3.0  # the children of a launcher that was killed are gone by then


@dataclass(frozen=True, slots=True)
class Ports:
    """Four ports in a row."""

    base: int

    def named(self) -> dict[str, int]:
        """The ports by what listens there."""
        names = ("envoy", "gateway", "rag_server", "envoy_admin")
        return {name: self.base + offset for offset, name in enumerate(names)}

    def address(self, name: str) -> str:
        """`host:port` of one of them."""
        return f"{HOST}:{self.named()[name]}"


def refuse_taken(ports: Ports) -> None:
    """Raise Failure for a port where somebody else listens."""
    deadline_s = time.monotonic() + FREED_S
    for name, port in ports.named().items():
        while not is_free(port):
            if time.monotonic() > deadline_s:
                advice = "stop what listens there, or choose other ports with --port-base"
                raise Failure(f"port {port} (for {name.replace('_', ' ')}) is taken: {advice}")
            time.sleep(0.1)


def make_programs(folder: RunFolder, ports: Ports, environment: Mapping[str, str]) -> list[Program]:
    """The programs in the order in which they start."""
    variables = {
        **environment,
        "ACERVO_STORE": str(folder.data),
        "ACERVO_RAG_LISTEN": ports.address("rag_server"),
        "ACERVO_RAG_SERVER": ports.address("rag_server"),
        "ACERVO_GATEWAY_LISTEN": ports.address("gateway"),
    }
    serving = readiness.serving(ports.address("rag_server"))
    gateway = readiness.serving(ports.address("gateway"))
    settled = readiness.settled(WORKER_SETTLES_S)
    edge = readiness.answering(HOST, ports.named()["envoy"], "/health/ready")
    python = (sys.executable, "-m")
    return [
        Program("serve", (*python, "rag_server.serve"), variables, serving),
        Program("work", (*python, "rag_server.work"), variables, settled, awaited=False),
        Program("gateway", (*python, "gateway.serve"), variables, gateway),
        Program("envoy", envoy_command(folder), environment, edge),
    ]


def render_envoy(folder: RunFolder, ports: Ports, environment: Mapping[str, str], where: Sequence[str] = ()) -> None:
    """Write Envoy's configuration; `where` are the renderer's options that name the servers, else the one gateway.

    Raises Failure with the renderer's last line.
    """
    command = [sys.executable, str(RENDER), "--descriptors", str(DESCRIPTORS)]
    command += ["--listen", ports.address("envoy"), "--admin", ports.address("envoy_admin")]
    command += where or ["--gateway", ports.address("gateway")]
    if largest := environment.get("ACERVO_MAX_UPLOAD_BYTES", ""):
        command += ["--max-upload-bytes", largest]
    log = folder.run / "render.log"
    with _config(folder).open("wb") as config, log.open("wb") as errors:
        done = subprocess.run(command, check=False, stdout=config, stderr=errors, timeout=RENDER_S)  # noqa: S603 - ours
    if done.returncode:
        raise Failure(f"Envoy's configuration cannot be made: {last_line(log, 0)}")


def envoy_command(folder: RunFolder) -> tuple[str, ...]:
    """How Envoy is started, with the configuration of the folder."""
    # The console script becomes the binary, with the same process id.
    envoy = Path(sysconfig.get_path("scripts"), "envoy")
    log_line = '{"time":"%Y-%m-%dT%T.%f%z","event":"envoy","level":"%l","logger":"%n","message":"%j"}'
    return (
        *(str(envoy), "-c", str(_config(folder)), "--disable-hot-restart"),
        *("--concurrency", str(min(2, os.cpu_count() or 1))),
        # On an error Envoy's own `http` logs whole paths, and a path can hold a search.
        *("--log-level", "warning", "--component-log-level", "http:critical", "--log-format", log_line),
        *("--file-flush-interval-msec", "500"),
    )


def _config(folder: RunFolder) -> Path:
    return folder.run / "envoy.yaml"


def is_free(port: int) -> bool:
    """Whether a server could listen at the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that linger do not count
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
