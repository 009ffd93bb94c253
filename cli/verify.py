"""`acervo verify`."""

import typer

from acervo.rag.v1.system_service_pb2 import Invariant, VerifyRequest
from cli.connection import connected
from cli.options import DEFAULT_SERVER, AsJson, Server
from cli.output import print_json, print_table

app = typer.Typer(add_completion=False)

LONGEST_CHECK_S = 3600.0  # everything that is stored is read


@app.command()
def verify(*, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Check the invariants of a running system; exit status 0 only if all hold."""
    with connected(server) as connection:
        answers = connection.stream(connection.system.Verify, VerifyRequest(), LONGEST_CHECK_S)
        invariants = sorted((answer.invariant for answer in answers), key=_number)
    # A check that looked at nothing at all has not been made.
    ok = bool(invariants) and all(invariant.ok for invariant in invariants)
    if as_json:
        print_json({"ok": ok, "invariants": {one.id: _as_json(one) for one in invariants}})
    else:
        rows = [(one.id, "ok" if one.ok else "BROKEN", str(one.checked), one.title, one.detail) for one in invariants]
        print_table(("", "", "checked", "invariant", "detail"), rows, empty="The server checked nothing.")
    if not ok:
        raise typer.Exit(1)


def _number(invariant: Invariant) -> tuple[int, str]:
    digits = invariant.id.removeprefix("I")
    return (int(digits) if digits.isdigit() else 0, invariant.id)


def _as_json(invariant: Invariant) -> dict[str, object]:
    return {
        "ok": invariant.ok,
        "checked": invariant.checked,
        "detail": invariant.detail,
        "title": invariant.title,
    }
