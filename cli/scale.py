"""`acervo scale`."""

from typing import Annotated

import typer

from cli.changing import Local, change
from cli.fleet import MOST
from cli.options import AsJson

app = typer.Typer(add_completion=False)


@app.command()
def scale(
    *,
    replicas: Annotated[int, typer.Argument(min=1, max=MOST, help="How many rag_servers are to run.")],
    gateways: Annotated[
        int | None, typer.Option(min=1, max=MOST, help="How many gateways are to run; as many as now by default.")
    ] = None,
    local: Local = "",
    as_json: AsJson = False,
) -> None:
    """Change the number of replicas of the `acervo up` that runs here; those that go finish what they have begun.

    Nothing that was accepted is lost, and searches go on meanwhile.
    """
    change({"scale": {"replicas": replicas, "gateways": gateways}}, local, as_json=as_json)
