"""The replicas that run on this machine, and how their number changes, or all are renewed, while they serve."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cli.endpoints import Endpoints
from cli.failure import Failure
from cli.supervised import Program, Supervised

if TYPE_CHECKING:
    from cli.launcher import Launcher

MOST = 64
GATEWAY, RAG_SERVER = "gateway", "rag_server"

Tell = Callable[[str], None]


class Programs(Protocol):
    """Makes the programs, each by its number."""

    @property
    def endpoints(self) -> Path:
        """The folder with the files that Envoy follows."""

    def address(self, name: str) -> str:
        """Where a server listens, host:port."""

    def serve(self, number: int) -> Program:
        """A rag_server that answers."""

    def work(self, number: int) -> Program:
        """The worker beside it."""

    def gateway(self, number: int) -> Program:
        """A gateway."""

    def envoy(self) -> Program:
        """The edge."""


class Fleet:
    """The replicas by number: pairs of `serve` and `work`, and gateways. One change at a time."""

    def __init__(self, programs: Programs, replicas: int, gateways: int) -> None:
        """Tells Envoy of all; the launcher, set before anything is asked, starts them."""
        self.launcher: Launcher
        self._programs = programs
        self._endpoints = Endpoints(programs.endpoints)
        self._servers = {RAG_SERVER: list(range(1, replicas + 1)), GATEWAY: list(range(1, gateways + 1))}
        self._changing = asyncio.Lock()
        for cluster in self._servers:
            self._tell_envoy(cluster)

    def first_programs(self) -> list[Program]:
        """All of them, in the order in which they start."""
        numbers = self._servers[RAG_SERVER]
        serving = [self._programs.serve(number) for number in numbers]
        working = [self._programs.work(number) for number in numbers]
        gateways = [self._programs.gateway(number) for number in self._servers[GATEWAY]]
        return [*serving, *working, *gateways, self._programs.envoy()]

    def addresses(self) -> dict[str, str]:
        """Where each server listens, by its name."""
        names = [self._name(cluster, number) for cluster, numbers in self._servers.items() for number in numbers]
        return {name: self._programs.address(name) for name in names}

    def gateways(self) -> list[str]:
        """Where the gateways listen."""
        return [self._programs.address(self._name(GATEWAY, number)) for number in self._servers[GATEWAY]]

    async def scale(self, replicas: int | None, gateways: int | None, tell: Tell) -> None:
        """As many of each as asked, None for as many as there are; those that go finish what they have begun.

        Raises Failure where there is something in the way; what was done until then stays.
        """
        for count in (replicas, gateways):
            if count is not None and not 1 <= count <= MOST:
                raise Failure(f"from 1 to {MOST} of each can run, not {count}")
        async with self._changing:
            for cluster, wanted in ((RAG_SERVER, replicas), (GATEWAY, gateways)):
                if wanted is not None:
                    await self._scale(cluster, wanted, tell)

    async def restart(self, tell: Tell) -> None:
        """Each after the other, so that somebody serves all the time. Raises Failure where one does not come back."""
        async with self._changing:
            for cluster, numbers in self._servers.items():
                alone = len(numbers) == 1
                if alone:
                    await self._scale(cluster, 2, tell)
                for number in list(numbers)[: 1 if alone else None]:
                    tell(f"{self._name(cluster, number)} restarts")
                    await self._renew(cluster, number)
                if alone:
                    await self._scale(cluster, 1, tell)

    async def _scale(self, cluster: str, wanted: int, tell: Tell) -> None:
        numbers = self._servers[cluster]
        while len(numbers) < wanted:
            number = next(number for number in range(1, MOST + 1) if number not in numbers)
            await self._start(cluster, number)
            numbers.append(number)
            self._tell_envoy(cluster)
            tell(f"{self._name(cluster, number)} serves")
        leaving = numbers[wanted:]
        del numbers[wanted:]
        if leaving:
            self._tell_envoy(cluster)
            running = [program for number in leaving for program in self._running(cluster, number)]
            await asyncio.gather(*(self.launcher.remove(program) for program in running))
            tell(f"{', '.join(self._name(cluster, number) for number in leaving)} stopped")

    async def _start(self, cluster: str, number: int) -> None:
        if cluster == GATEWAY:
            await self.launcher.add(self._programs.gateway(number))
            return
        serving = await self.launcher.add(self._programs.serve(number))
        try:
            await self.launcher.add(self._programs.work(number))
        except Failure:
            await self.launcher.remove(serving)
            raise

    async def _renew(self, cluster: str, number: int) -> None:
        """One gets no new calls, finishes those that it has, ends, starts again, and gets calls again."""
        self._tell_envoy(cluster, without=number)
        running = self._running(cluster, number)
        await asyncio.gather(*(program.renew(self.launcher.at_once) for program in running))
        late = [program.program.name for program in running if not program.ready.is_set()]
        if late:
            raise Failure(f"{' and '.join(late)} did not come back: the others were left as they are")
        self._tell_envoy(cluster)

    def _running(self, cluster: str, number: int) -> list[Supervised]:
        names = [f"gateway-{number}"] if cluster == GATEWAY else [f"work-{number}", f"serve-{number}"]
        found = (self.launcher.named(name) for name in names)
        return [program for program in found if program is not None]

    def _tell_envoy(self, cluster: str, without: int = 0) -> None:
        names = [self._name(cluster, number) for number in self._servers[cluster] if number != without]
        self._endpoints.write(cluster, [self._programs.address(name) for name in names])

    def _name(self, cluster: str, number: int) -> str:
        return f"{'gateway' if cluster == GATEWAY else 'serve'}-{number}"
