import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cli.failure import Failure
from cli.fleet import Fleet
from cli.launcher import Launcher
from cli.run_folder import RunFolder
from cli.supervised import Program
from tests.cli.stand_ins import Silent, stand_in

DEADLINE_S = 30


class StandIns:
    """Tiny programs in the place of the real ones; `broken` does not start."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.endpoints = folder / "endpoints"
        self.broken = ""

    def address(self, name: str) -> str:
        kind, _, number = name.partition("-")
        return f"127.0.0.1:{ {'serve': 7000, 'gateway': 8000}[kind] + int(number) }"

    def serve(self, number: int) -> Program:
        return self._program(f"serve-{number}")

    def work(self, number: int) -> Program:
        return self._program(f"work-{number}")

    def gateway(self, number: int) -> Program:
        return self._program(f"gateway-{number}")

    def envoy(self) -> Program:
        return self._program("envoy")

    def _program(self, name: str) -> Program:
        code = "import sys; print('no room'); sys.exit(78)"
        return stand_in(self._folder, name, code) if name == self.broken else stand_in(self._folder, name)


class Town:
    """A fleet that runs, and what is seen of it."""

    def __init__(self, folder: Path, replicas: int, gateways: int) -> None:
        self.folder = folder
        self.programs = StandIns(folder)
        self.fleet = Fleet(self.programs, replicas, gateways)
        self.launcher = self.fleet.launcher = Launcher(self.fleet.first_programs(), RunFolder(folder), Silent())
        self.told: list[str] = []

    def running(self) -> list[str]:
        return sorted(one.program.name for one in self.launcher.supervised if one.pid is not None)

    def known(self, cluster: str) -> list[int]:
        """The ports that Envoy is told of."""
        answer = json.loads((self.programs.endpoints / f"{cluster}.json").read_text())
        (locality,) = answer["resources"][0]["endpoints"]
        places = [entry["endpoint"]["address"]["socket_address"] for entry in locality["lb_endpoints"]]
        return [place["port_value"] for place in places]

    def stops(self) -> list[str]:
        path = self.folder / "stops"
        return path.read_text().split() if path.exists() else []


@contextlib.asynccontextmanager
async def town(folder: Path, replicas: int, gateways: int) -> AsyncIterator[Town]:
    run_folder = RunFolder(folder)
    with run_folder.locked():
        made = Town(folder, replicas, gateways)
        async with asyncio.timeout(DEADLINE_S):
            task = asyncio.create_task(made.launcher.run())
            try:
                await made.launcher.all_ready.wait()
                yield made
            finally:
                made.launcher.stopping.set()
                await task


async def test_a_fleet_grows_and_shrinks_and_envoy_is_told(tmp_path: Path) -> None:
    async with town(tmp_path, 1, 1) as made:
        await made.fleet.scale(3, 2, made.told.append)
        assert made.running() == sorted(
            [
                *(f"{kind}-{number}" for kind in ("serve", "work") for number in (1, 2, 3)),
                "gateway-1",
                "gateway-2",
                "envoy",
            ]
        )
        assert (made.known("rag_server"), made.known("gateway")) == ([7001, 7002, 7003], [8001, 8002])
        await made.fleet.scale(1, None, made.told.append)
        assert made.running() == ["envoy", "gateway-1", "gateway-2", "serve-1", "work-1"]
        assert (made.known("rag_server"), made.known("gateway")) == ([7001], [8001, 8002])
        assert sorted(made.stops()) == ["serve-2", "serve-3", "work-2", "work-3"]
        assert made.told == ["serve-2 serves", "serve-3 serves", "gateway-2 serves", "serve-2, serve-3 stopped"]


async def test_all_are_restarted_and_envoy_is_not(tmp_path: Path) -> None:
    async with town(tmp_path, 2, 2) as made:
        before = {one.program.name: one.pid for one in made.launcher.supervised}
        await made.fleet.restart(made.told.append)
        after = {one.program.name: one.pid for one in made.launcher.supervised}
        assert {name for name in before if before[name] == after[name]} == {"envoy"}
        assert made.told == [f"{name} restarts" for name in ("serve-1", "serve-2", "gateway-1", "gateway-2")]
        assert made.known("rag_server") == [7001, 7002]


async def test_one_that_is_alone_gets_company_while_it_restarts(tmp_path: Path) -> None:
    async with town(tmp_path, 1, 1) as made:
        await made.fleet.restart(made.told.append)
        assert made.told[:3] == ["serve-2 serves", "serve-1 restarts", "serve-2 stopped"]
        assert made.running() == ["envoy", "gateway-1", "serve-1", "work-1"]


async def test_a_new_one_that_does_not_start_is_said_and_the_others_run_on(tmp_path: Path) -> None:
    async with town(tmp_path, 1, 1) as made:
        made.programs.broken = "work-2"
        with pytest.raises(Failure, match=r"work-2 did not become ready: no room"):
            await made.fleet.scale(2, None, made.told.append)
        assert made.running() == ["envoy", "gateway-1", "serve-1", "work-1"]
        assert made.known("rag_server") == [7001]


@pytest.mark.parametrize("count", [0, 65])
async def test_a_number_that_makes_no_sense_is_refused(count: int, tmp_path: Path) -> None:
    async with town(tmp_path, 1, 1) as made:
        with pytest.raises(Failure, match="from 1 to 64"):
            await made.fleet.scale(count, None, made.told.append)
