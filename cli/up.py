"""`acervo up`."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from cli.failure import Failure
from cli.launcher import Launcher
from cli.options import AsJson
from cli.output import console, error_console, print_json
from cli.programs import Ports, make_programs, refuse_taken, render_envoy
from cli.run_folder import RunFolder

app = typer.Typer(add_completion=False)

HIGHEST_BASE = 65_532
KILLED_STATUS = 130


@app.command()
def up(
    *,
    data: Annotated[
        str, typer.Option(metavar="DIR", envvar="ACERVO_STORE", help="The folder that holds everything.")
    ] = "data",
    port_base: Annotated[
        int, typer.Option(min=1024, max=HIGHEST_BASE, help="The edge listens here, the rest on the three ports after.")
    ] = 8080,
    as_json: AsJson = False,
) -> None:
    """Start everything on this machine, and keep it running until Ctrl-C."""
    if "://" in data:
        raise typer.BadParameter("--data is a folder; `up` runs everything on one machine")
    folder, ports = RunFolder(Path(data or "data").absolute()), Ports(port_base)
    environment = dict(os.environ)
    with folder.locked():
        refuse_taken(ports)
        render_envoy(folder, ports, environment)
        asyncio.run(_launch(folder, ports, environment, as_json=as_json))


async def _launch(folder: RunFolder, ports: Ports, environment: dict[str, str], *, as_json: bool) -> None:
    voice = Herald(folder, ports, error_console() if as_json else console())
    launcher = Launcher(make_programs(folder, ports, environment), folder, voice)
    voice.launcher = launcher
    _listen_to_signals(launcher)
    announcing = asyncio.create_task(_announce(launcher, voice, as_json=as_json))
    try:
        await launcher.run()
    except Failure:
        if launcher.at_once.is_set():
            raise typer.Exit(KILLED_STATUS) from None
        raise
    finally:
        announcing.cancel()
    voice.say("Stopped.")


def _listen_to_signals(launcher: Launcher) -> None:
    def hear() -> None:
        if launcher.stopping.is_set():
            launcher.at_once.set()
        launcher.stopping.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, hear)


async def _announce(launcher: Launcher, voice: "Herald", *, as_json: bool) -> None:
    await launcher.all_ready.wait()
    voice.changed()
    if as_json:
        print_json(voice.state())
    voice.say_addresses()
    await launcher.stopping.wait()
    voice.say("Stopping; Ctrl-C again kills.")


class Herald:
    """Tells the terminal, and launcher.json, what happens."""

    launcher: Launcher

    def __init__(self, folder: RunFolder, ports: Ports, output: Console) -> None:
        self._folder = folder
        self._ports = ports
        self._output = output

    def say(self, text: str) -> None:
        """A line."""
        with contextlib.suppress(OSError):  # the terminal may be gone; the programs run on
            self._output.print(text, markup=False, soft_wrap=True)

    def say_addresses(self) -> None:
        """Where everything is."""
        edge = self._ports.address("envoy")
        self.say(f"Ready: http://{edge} (REST, gRPC, gRPC-Web)")
        for name, label in (("gateway", "gateway"), ("rag_server", "rag_server"), ("envoy_admin", "Envoy's admin")):
            self.say(f"  {label:14} {self._ports.address(name)}")
        self.say(f"  {'data':14} {self._folder.data}")
        self.say(f"  {'logs':14} {self._folder.logs}")
        self.say("Ctrl-C stops everything.")

    def changed(self) -> None:
        """A program has started or become ready."""
        with contextlib.suppress(OSError):  # a full disk is for the services to tell
            self._folder.write_state(self.state())

    def ready(self, name: str, pid: int, after_s: float) -> None:
        """A program serves."""
        self.say(f"{name:8} ready after {after_s:.1f} s (process {pid})")

    def died(self, name: str, how: str, delay_s: float) -> None:
        """A program ended unasked and is started again after the delay."""
        when = f"in {delay_s:.1f} s" if delay_s else "at once"
        self.say(f"{name:8} died ({how}): started again {when}")

    def forced(self, name: str) -> None:
        """A program did not stop when asked and was killed."""
        self.say(f"{name:8} killed: it did not stop")

    def state(self) -> dict[str, Any]:
        """What launcher.json and `--json` say."""
        programs = self.launcher.state()
        return {
            "pid": os.getpid(),
            "data": str(self._folder.data),
            "server": self._ports.address("envoy"),
            "ports": self._ports.named(),
            "programs": programs,
            "ready": all(program["ready"] for program in programs.values()),
        }
