"""The options that several commands share."""

from typing import Annotated

import typer

from cli.names import document_name

MAX_PORT = 65535


def _host_port(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not (host and colon and port.isdigit() and 0 < int(port) <= MAX_PORT) or "/" in host:
        raise typer.BadParameter(f"{value!r} is not HOST:PORT, such as 127.0.0.1:8080")
    return value


Server = Annotated[
    str,
    typer.Option(
        "--server", envvar="ACERVO_SERVER", metavar="HOST:PORT", callback=_host_port, help="Where the server answers."
    ),
]
DEFAULT_SERVER = "127.0.0.1:8080"
AsJson = Annotated[bool, typer.Option("--json", help="JSON on the standard output, for programs.")]
Limit = Annotated[int, typer.Option("--limit", min=0, help="How many at the most; 0 means all.")]
OfCollection = Annotated[str, typer.Option("--collection", "-c", metavar="NAME", help="The collection.")]
DocumentId = Annotated[
    str,
    typer.Argument(
        metavar="DOCUMENT", callback=document_name, help="collections/{collection}/documents/{id} or the bare id."
    ),
]
DocumentFilter = Annotated[
    str,
    typer.Option("--filter", metavar="FILTER", help="Such as 'language = \"pt\" AND metadata.year >= 2020'."),
]
