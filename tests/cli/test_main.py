import subprocess
import sys

import pytest
from typer.testing import CliRunner

from cli.main import VERBS, app
from tests.cli.conftest import spawn


def test_help_names_every_verb_without_loading_grpc() -> None:
    code = "import sys; from typer.testing import CliRunner; from cli.main import app\n"
    code += "print(CliRunner().invoke(app, ['--help']).stdout); print('grpc' in sys.modules, 'acervo' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert all(verb in out for verb in VERBS)
    assert out.splitlines()[-1] == "False False"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_and_its_json(verb: str) -> None:
    runner = CliRunner()
    result = runner.invoke(app, [verb, "--help"])
    assert result.exit_code == 0
    commands = {"jobs": "list", "documents": "list", "collections": "list", "models": "list"}
    if verb in commands:
        result = runner.invoke(app, [verb, commands[verb], "--help"])
    assert "--json" in result.stdout


def test_an_unknown_verb_is_wrong_usage_with_a_suggestion() -> None:
    result = CliRunner().invoke(app, ["serch"])
    assert result.exit_code == 2
    assert "search" in result.stderr


def test_a_server_that_is_no_address_is_wrong_usage() -> None:
    result = CliRunner().invoke(app, ["health", "--server", "http://localhost"])
    assert result.exit_code == 2


def test_an_unreachable_server_is_one_line_and_exit_status_1() -> None:
    with spawn("jobs", "list", "--json", ACERVO_SERVER="127.0.0.1:1") as process:
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (1, "")
    assert err.startswith("acervo: cannot reach the server at 127.0.0.1:1: start it with `acervo up`")
    assert err.count("\n") == 1
