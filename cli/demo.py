"""`acervo demo`: the main job in sight, with the same commands that a user would type."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.failure import Failure
from cli.output import console

app = typer.Typer(add_completion=False)

SAMPLES = Path(__file__).parent.parent / "samples"
SEARCHES = ("prazo para devolver documentos emprestados", "what to do when lightning is near the dome")


@app.command()
def demo(
    *,
    data: Annotated[str, typer.Option(metavar="DIR", help="The folder that holds everything.")] = "data",
    port_base: Annotated[int, typer.Option(help="The edge listens here, the rest on the three ports after.")] = 8080,
    once: Annotated[bool, typer.Option("--once", help="End after the searches.")] = False,
) -> None:
    """Start everything, take a few documents in, search them, and keep serving until Ctrl-C."""
    _show("up", "--data", data, "--port-base", str(port_base))
    up = subprocess.Popen(  # noqa: S603 - our own program
        [*_acervo(), "up", "--data", data, "--port-base", str(port_base), "--json"], stdout=subprocess.PIPE, text=True
    )
    try:
        _wait_until_ready(up)
        server = ("--server", f"127.0.0.1:{port_base}")
        _run("ingest", str(SAMPLES), *server)
        for query in SEARCHES:
            _run("search", query, "--limit", "2", *server)
        _say_addresses(port_base)
        if not once:
            up.wait()
    except KeyboardInterrupt:
        console().print("Stopping.")
    finally:
        # Ctrl-C has reached it as well: then this asks nothing new.
        if up.poll() is None and once:
            up.terminate()
        status = up.wait()
    if status:
        raise Failure(f"`acervo up` ended with status {status}.")


def _wait_until_ready(up: "subprocess.Popen[str]") -> None:
    """Its one line on the standard output says that all parts are ready."""
    line = up.stdout.readline() if up.stdout else ""
    try:
        json.loads(line)
    except ValueError:
        raise Failure("The programs did not start; the lines above say why.") from None


def _run(*arguments: str) -> None:
    _show(*arguments)
    if subprocess.run([*_acervo(), *arguments], check=False).returncode:  # noqa: S603 - our own program
        raise Failure(f"`acervo {arguments[0]}` failed.")


def _show(*arguments: str) -> None:
    words = (f'"{word}"' if " " in word else word for word in arguments)
    console().print(f"\n[bold]$ acervo {' '.join(words)}[/bold]", highlight=False)


def _say_addresses(port: int) -> None:
    base = f"http://127.0.0.1:{port}"
    console().print(
        f"\nREST, gRPC and gRPC-Web: {base}\n"
        f"Try: curl '{base}/api/v1/search?query=arquivo'\n"
        f"     curl -F file=@README.md {base}/api/v1/rag/upload\n"
        f"The interface: {base}/openapi.json   Health: {base}/health/ready",
        highlight=False,
        markup=False,
    )


def _acervo() -> list[str]:
    return [sys.executable, "-m", "cli"]
