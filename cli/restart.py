"""`acervo restart`."""

import typer

from cli.changing import Local, change
from cli.options import AsJson

app = typer.Typer(add_completion=False)


@app.command()
def restart(*, local: Local = "", as_json: AsJson = False) -> None:
    """Restart the replicas of the `acervo up` that runs here, one after the other; searches go on meanwhile.

    Each serves again before the next one stops. Where there is one only, a second one serves in its stead. Envoy and
    `acervo up` itself run on.
    """
    change({"restart": True}, local, as_json=as_json)
