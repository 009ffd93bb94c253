"""The programs of several replicas on one machine: their commands, settings and ports."""

import random
import sys
from collections.abc import Mapping
from pathlib import Path

from cli import readiness
from cli.programs import HOST, WORKER_SETTLES_S, Ports, envoy_command, is_free
from cli.run_folder import RunFolder
from cli.supervised import Program

# Below what the kernel hands out by itself: a server finds its port again after a restart.
FIRST_PORT, LAST_PORT = 20_000, 32_000
PYTHON = (sys.executable, "-m")


class Replicas:
    """Makes the programs by their kind and number; each keeps the port that it had first."""

    def __init__(self, folder: RunFolder, ports: Ports, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._ports = ports
        self._environment = environment
        self._own_ports: dict[str, int] = {}

    @property
    def endpoints(self) -> Path:
        """The folder with the files that Envoy follows."""
        return self._folder.run / "endpoints"

    def address(self, name: str) -> str:
        """Where a server listens. The first gateway has the gateway's port, as where there is one only."""
        if name == "gateway-1":
            return self._ports.address("gateway")
        if name not in self._own_ports:
            self._own_ports[name] = self._free_port()
        return f"{HOST}:{self._own_ports[name]}"

    def serve(self, number: int) -> Program:
        """A rag_server that answers."""
        address = self.address(f"serve-{number}")
        variables = {**self._of_replica(number), "ACERVO_RAG_LISTEN": address}
        serving = readiness.serving(address)
        return Program(f"serve-{number}", (*PYTHON, "rag_server.serve"), variables, serving, awaited=False, vital=False)

    def work(self, number: int) -> Program:
        """The worker beside it."""
        settled = readiness.settled(WORKER_SETTLES_S)
        command, variables = (*PYTHON, "rag_server.work"), self._of_replica(number)
        return Program(f"work-{number}", command, variables, settled, awaited=False, vital=False)

    def gateway(self, number: int) -> Program:
        """A gateway; it reaches the rag_servers through Envoy, which knows at any moment which there are."""
        address = self.address(f"gateway-{number}")
        variables = {
            **self._of_replica(number),
            "ACERVO_GATEWAY_LISTEN": address,
            "ACERVO_RAG_SERVER": self._ports.address("rag_server"),
        }
        serving = readiness.serving(address)
        command = (*PYTHON, "gateway.serve")
        # Not awaited: it serves once it has reached a rag_server, and Envoy, which starts after it, is the way there.
        return Program(f"gateway-{number}", command, variables, serving, awaited=False, vital=False)

    def envoy(self) -> Program:
        """The edge, and what balances over the rag_servers."""
        edge = readiness.answering(HOST, self._ports.named()["envoy"], "/health/ready")
        return Program("envoy", envoy_command(self._folder), self._environment, edge)

    def render_options(self) -> list[str]:
        """How the renderer of Envoy's configuration is told where the servers are."""
        return ["--endpoints", str(self.endpoints), "--inner", self._ports.address("rag_server")]

    def _of_replica(self, number: int) -> dict[str, str]:
        # What can be lost lies in the folder of this `up`; each replica has its own part of it.
        near = str(self._folder.data / "near")
        return {**self._environment, "ACERVO_REPLICA": str(number), "XDG_CACHE_HOME": near}

    def _free_port(self) -> int:
        while True:
            port = random.randrange(FIRST_PORT, LAST_PORT)  # noqa: S311 - nothing to guard
            if port not in self._own_ports.values() and port not in self._ports.named().values() and is_free(port):
                return port
