"""`acervo migrate` on both databases, as an operator types it."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import spawn
from tests.servers.postgres import PostgresServer


@pytest.fixture(params=["sqlite", "postgres"])
def variables(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The environment that names an empty store."""
    if request.param == "sqlite":
        return {"ACERVO_STORE": str(tmp_path)}
    url = request.getfixturevalue("postgres_database")
    return {"ACERVO_STORE": url, "ACERVO_REDIS": "redis://127.0.0.1:1", "ACERVO_BLOBS": str(tmp_path)}


def _migrate(variables: dict[str, str], *arguments: str) -> tuple[int, str]:
    """The exit status, and all that was said."""
    with spawn("migrate", *arguments, **variables) as process:
        out, err = process.communicate(timeout=120)
    return process.returncode, out + err


def test_tables_are_made_once_for_both_services(variables: dict[str, str]) -> None:
    status, told = _migrate(variables)
    assert status == 0, told
    assert told.count("base -> ") == 2
    again = json.loads(_migrate(variables, "--json")[1])
    assert [tables["service"] for tables in again] == ["rag_server", "gateway"]
    assert all(tables["was"] == tables["is"] for tables in again)


def test_going_down_is_refused_with_a_sentence_unless_it_is_meant(variables: dict[str, str]) -> None:
    _migrate(variables, "--only", "rag_server")
    status, told = _migrate(variables, "--only", "rag_server", "--to", "0001")
    assert status != 0
    assert "0001 is older: going down loses what only newer tables hold" in told
    status, told = _migrate(variables, "--only", "rag_server", "--down-to", "0001")
    assert (status, told.rstrip().endswith("-> 0001")) == (0, True), told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--only", "rag_server", "--to", "9999"], "there is no revision 9999"),
        (["--to", "0001"], "--only rag_server"),
        (["--only", "cli"], "no service cli"),
    ],
)
def test_what_makes_no_sense_is_said(tmp_path: Path, arguments: list[str], told: str) -> None:
    status, said = _migrate({"ACERVO_STORE": str(tmp_path)}, *arguments)
    assert status != 0
    assert told in said


def test_a_database_that_does_not_let_in_is_said_without_the_password(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    url = postgres_server.url(password="not" + "right")
    status, said = _migrate({"ACERVO_STORE": url, "ACERVO_REDIS": "redis://h", "ACERVO_BLOBS": str(tmp_path)})
    assert status != 0
    assert "does not let this program in" in said
    assert "notright" not in said
