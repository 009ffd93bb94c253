"""`acervo up`."""

import asyncio
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import control, readiness
from cli.failure import Failure
from cli.fleet import MOST, Fleet
from cli.herald import Herald
from cli.launcher import Launcher
from cli.options import AsJson
from cli.output import console, error_console, print_json
from cli.programs import Ports, make_programs, refuse_taken, render_envoy
from cli.replicas import Replicas
from cli.run_folder import RunFolder, local_folder

app = typer.Typer(add_completion=False)

HIGHEST_BASE = 65_532
KILLED_STATUS = 130
ONE_FOLDER = "one server only can use a folder: several replicas need a database, ACERVO_STORE=postgresql://..."


@app.command()
def up(
    *,
    data: Annotated[
        str, typer.Option(metavar="DIR", envvar="ACERVO_STORE", help="The folder that holds everything.")
    ] = "data",
    port_base: Annotated[
        int, typer.Option(min=1024, max=HIGHEST_BASE, help="The edge listens here, the rest on the three ports after.")
    ] = 8080,
    replicas: Annotated[int, typer.Option(min=1, max=MOST, help="How many rag_servers; needs a database.")] = 1,
    gateways: Annotated[
        int, typer.Option(min=0, max=MOST, help="How many gateways; 0: two where there are several replicas.")
    ] = 0,
    local: Annotated[
        str, typer.Option(metavar="DIR", help="With a database: this machine's folder for logs and indexes.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Start everything on this machine, and keep it running until Ctrl-C.

    With the address of a database in ACERVO_STORE (and ACERVO_REDIS, ACERVO_BLOBS) as many replicas as asked.
    """
    ports, environment = Ports(port_base), dict(os.environ)
    if "://" not in data:
        if replicas > 1 or gateways > 1 or local:
            raise typer.BadParameter(ONE_FOLDER)
        folder = RunFolder(Path(data or "data").absolute())
    else:
        environment["ACERVO_STORE"] = data
        folder = RunFolder(Path(local).absolute() if local else local_folder(environment))
    with folder.locked():
        refuse_taken(ports)
        run = _Run(folder, ports, environment, as_json)
        fleet = _fleet(run, replicas, gateways or min(replicas, 2)) if "://" in data else None
        asyncio.run(_launch(run, fleet))


@dataclass(frozen=True, slots=True)
class _Run:
    """What this `up` works with."""

    folder: RunFolder
    ports: Ports
    environment: dict[str, str]
    as_json: bool


def _fleet(run: _Run, replicas: int, gateways: int) -> Fleet:
    programs = Replicas(run.folder, run.ports, run.environment)
    render_envoy(run.folder, run.ports, run.environment, programs.render_options())
    return Fleet(programs, replicas, gateways)


async def _launch(run: _Run, fleet: Fleet | None) -> None:
    output = error_console() if run.as_json else console()
    voice = Herald(run.folder, run.ports, output, fleet.addresses if fleet else None)
    if fleet is None:
        render_envoy(run.folder, run.ports, run.environment)
        programs, gateways = make_programs(run.folder, run.ports, run.environment), [run.ports.address("gateway")]
    else:
        programs, gateways = fleet.first_programs(), fleet.gateways()
    launcher = Launcher(programs, run.folder, voice, readiness.reaching(gateways))
    voice.launcher = launcher
    if fleet is not None:
        fleet.launcher = launcher
    _listen_to_signals(launcher)
    announcing = asyncio.create_task(_announce(launcher, voice, as_json=run.as_json))
    try:
        async with control.listening(run.folder.run, lambda request, tell: _change(fleet, request, tell, voice)):
            await launcher.run()
    except Failure:
        if launcher.at_once.is_set():
            raise typer.Exit(KILLED_STATUS) from None
        raise
    finally:
        announcing.cancel()
    voice.say("Stopped.")


async def _change(fleet: Fleet | None, request: Mapping[str, Any], tell: control.Tell, voice: Herald) -> dict[str, Any]:
    """What `acervo scale` and `acervo restart` ask for; the end is the new state."""
    if fleet is None:
        raise Failure(ONE_FOLDER)
    await fleet.launcher.all_ready.wait()

    def both(text: str) -> None:
        voice.say(text)
        tell(text)

    match request:
        case {"scale": {"replicas": int() | None as replicas, "gateways": int() | None as gateways}}:
            await fleet.scale(replicas, gateways, both)
        case {"restart": True}:
            await fleet.restart(both)
        case _:
            raise Failure("this `acervo up` is of another version and does not know the request")
    voice.changed()
    return voice.state()


def _listen_to_signals(launcher: Launcher) -> None:
    def hear() -> None:
        if launcher.stopping.is_set():
            launcher.at_once.set()
        launcher.stopping.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, hear)
    # A terminal that is closed says so twice, by the kernel and by the shell: nobody asked for a kill.
    loop.add_signal_handler(signal.SIGHUP, launcher.stopping.set)


async def _announce(launcher: Launcher, voice: Herald, *, as_json: bool) -> None:
    await launcher.all_ready.wait()
    voice.changed()
    if as_json:
        print_json(voice.state())
    voice.say_addresses()
    await launcher.stopping.wait()
    voice.say("Stopping; Ctrl-C again kills.")
