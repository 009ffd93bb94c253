"""`acervo demo`: the main job in sight, with the same commands that a user would type."""

import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cli.failure import Failure
from cli.options import AsJson
from cli.output import console

app = typer.Typer(add_completion=False)

ACERVO = (sys.executable, "-m", "cli")
SAMPLES = Path(__file__).parent.parent / "samples"
SEARCHES = ("prazo para devolver documentos emprestados", "what to do when lightning is near the dome")


@app.command()
def demo(
    *,
    data: Annotated[str, typer.Option(metavar="DIR", help="The folder that holds everything.")] = "data",
    port_base: Annotated[int, typer.Option(help="The edge listens here, the rest on the three ports after.")] = 8080,
    once: Annotated[bool, typer.Option("--once", help="End after the searches.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start everything, take a few documents in, search them, and keep serving until Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    tour = _Tour(f"127.0.0.1:{port_base}", as_json=as_json)
    options = ("up", "--data", data, "--port-base", str(port_base))
    tour.show(*options)
    up = subprocess.Popen([*ACERVO, *options, "--json"], stdout=subprocess.PIPE, text=True)  # noqa: S603 - our program
    try:
        _wait_until_ready(up)
        tour.run("ingest", str(SAMPLES))
        for query in SEARCHES:
            tour.run("search", query, "--limit", "2")
        tour.say_addresses()
        if not once:
            up.wait()
    finally:
        if up.poll() is None:
            up.terminate()
        status = up.wait()
    if status:
        raise Failure(f"`acervo up` ended with status {status}.")


@dataclass(frozen=True, slots=True)
class _Tour:
    """Runs commands against one server, showing each as a user would type it."""

    server: str
    as_json: bool

    def run(self, *arguments: str) -> None:
        """Run a client command. Raises Failure where it fails."""
        self.show(*arguments)
        command = [*ACERVO, *arguments, "--server", self.server, *(("--json",) if self.as_json else ())]
        if subprocess.run(command, check=False).returncode:  # noqa: S603 - our program
            raise Failure(f"`acervo {arguments[0]}` failed.")

    def show(self, *arguments: str) -> None:
        """Print the command, unless only JSON is wanted."""
        if not self.as_json:
            words = (f'"{word}"' if " " in word else word for word in arguments)
            console().print(f"\n[bold]$ acervo {' '.join(words)}[/bold]", highlight=False)

    def say_addresses(self) -> None:
        """Print what to try next, unless only JSON is wanted."""
        if self.as_json:
            return
        base = f"http://{self.server}"
        console().print(
            f"\nREST, gRPC and gRPC-Web: {base}\n"
            f"Try: curl '{base}/api/v1/search?query=arquivo'\n"
            f"     curl -F file=@README.md {base}/api/v1/rag/upload\n"
            f"The interface: {base}/openapi.json   Health: {base}/health/ready",
            highlight=False,
            markup=False,
        )


def _wait_until_ready(up: "subprocess.Popen[str]") -> None:
    """Its one line on the standard output says that all parts are ready."""
    line = up.stdout.readline() if up.stdout else ""
    try:
        json.loads(line)
    except ValueError:
        raise Failure("The programs did not start; the lines above say why.") from None
