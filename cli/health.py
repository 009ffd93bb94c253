"""`acervo health`."""

import typer

from acervo.rag.v1.system_service_pb2 import GetHealthRequest
from cli.connection import connected
from cli.options import DEFAULT_SERVER, AsJson, Server
from cli.output import print_json, print_table
from cli.plain import plain, word

app = typer.Typer(add_completion=False)


@app.command()
def health(*, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Show how every part is; exit status 0 only if uploads and searches are served."""
    with connected(server) as connection:
        answer = connection.call(connection.system.GetHealth, GetHealthRequest())
    if as_json:
        print_json(plain(answer))
    else:
        rows = [(part.name, word(part, "condition"), part.detail) for part in answer.components]
        print_table(("part", "condition", "detail"), rows, empty="The server named no parts.")
    if not answer.ready:
        raise typer.Exit(1)
