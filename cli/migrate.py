"""`acervo migrate`: starts the program of each service that changes its tables; no server is needed."""

import json
import subprocess
import sys
from typing import Annotated, Any

import typer

from cli.failure import Failure
from cli.options import AsJson
from cli.output import print_fields, print_json

app = typer.Typer(add_completion=False)

PROGRAMS = ("rag_server.migrate", "gateway.migrate")


@app.command()
def migrate(
    *,
    down_to: Annotated[
        str, typer.Option("--down-to", metavar="REVISION", help="Lose what only newer tables hold. Back up first.")
    ] = "",
    to: Annotated[str, typer.Option("--to", metavar="REVISION", help="Not the newest, but this one.")] = "",
    allow: Annotated[
        str, typer.Option("--allow", metavar="ROLE", help="Let this PostgreSQL role work with the tables.")
    ] = "",
    only: Annotated[str, typer.Option("--only", metavar="SERVICE", help="rag_server or gateway.")] = "",
    as_json: AsJson = False,
) -> None:
    """Bring the tables of the store that ACERVO_STORE names to this version's, or to a revision."""
    programs = [program for program in PROGRAMS if only in {"", program.partition(".")[0]}]
    if not programs:
        raise Failure(f"There is no service {only}: say rag_server or gateway.")
    if (to or down_to) and not only:
        raise Failure("The services count their revisions apart: say --only rag_server or --only gateway.")
    arguments = ["--allow", allow] if allow else []
    arguments += ["--to", down_to, "--down"] if down_to else ["--to", to] if to else []
    told = [_run([sys.executable, "-m", program, *arguments]) for program in programs]
    if as_json:
        print_json(told)
    else:
        print_fields((each["service"], _told(each)) for each in told)


def _told(tables: dict[str, str]) -> str:
    return f"at {tables['is']}" if tables["was"] == tables["is"] else f"{tables['was']} -> {tables['is']}"


def _run(command: list[str]) -> Any:
    """The program's line of JSON. Raises Failure with its last words where it gives none."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, encoding="utf-8")  # noqa: S603 - our own
    if done.returncode != 0:
        words = done.stderr.strip().splitlines()
        told = words[-1].removeprefix("acervo migrate: ") if words else f"it ended with {done.returncode}"
        raise Failure(told, exit_status=done.returncode)
    return json.loads(done.stdout)
