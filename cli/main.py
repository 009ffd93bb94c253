"""The `acervo` command: its verbs, each loaded when it is called."""

import importlib
import sys
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from cli.failure import Failure

# Verb -> what `acervo --help` says of it. The verb's module is cli.<verb>: grpc loads only when one needs it.
VERBS = {
    "demo": "Start everything, take a few documents in, search them.",
    "up": "Start everything on this machine, and keep it running.",
    "scale": "Change the number of replicas that run on this machine.",
    "restart": "Restart the replicas of this machine one after the other, while they serve.",
    "ingest": "Take files, folders or the standard input in, and wait until they can be found.",
    "texts": "Take texts in from a file of JSON lines, each a document of its own.",
    "search": "Find passages, with citations.",
    "extract": "Show what the machine sees of a file; needs no server.",
    "jobs": "List, count, show, watch, cancel and retry jobs.",
    "queue": "Show how the job queue is, pause it and let it go on.",
    "documents": "List, show, download and delete documents.",
    "collections": "List, show and delete collections.",
    "migrate": "Bring the tables of the store to this version's, or down to an older one's.",
    "copy": "Copy a whole store into another: a folder into PostgreSQL, or back.",
    "models": "List and pull embedding models.",
    "verify": "Check the invariants of a running system.",
    "health": "Show how every part of the system is.",
}
INTERRUPTED = 130


class Verbs(TyperGroup):
    """The group of all verbs, and the one place where failures become exit statuses."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the signature is typer's
        """The verbs, in the order of the table."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the signature is typer's
        """The verb as help and completion need it; None for an unknown one."""
        return TyperCommand(cmd_name, help=VERBS[cmd_name]) if cmd_name in VERBS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The verb that is about to run, loaded."""
        self.commands = {verb: self.get_command(ctx, verb) for verb in VERBS}  # typer suggests from these
        name, command, rest = super().resolve_command(ctx, args)
        if name in VERBS:
            command = get_command(importlib.import_module(f"cli.{name}").app)
        return name, command, rest

    def invoke(self, ctx: Any) -> Any:
        """Run a verb; a failure is one line on the standard error and exit status 1."""
        try:
            return super().invoke(ctx)
        except Failure as failure:
            print(f"acervo: {failure}", file=sys.stderr)  # noqa: T201 - this is the program's voice
            raise typer.Exit(failure.exit_status) from failure
        except KeyboardInterrupt as interrupt:
            raise typer.Exit(INTERRUPTED) from interrupt


app = typer.Typer(cls=Verbs, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def acervo() -> None:
    """Take documents in, make them searchable, and never lose one."""
