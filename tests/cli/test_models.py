"""With the real program behind it; nothing here reaches the network."""

import json
from pathlib import Path

from tests.cli.conftest import spawn


def test_models_are_listed_by_the_program_for_them(tmp_path: Path) -> None:
    with spawn("models", "list", "--json", ACERVO_STORE=str(tmp_path)) as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "bundled" in [model["name"] for model in json.loads(out)]


def test_a_model_that_is_not_known_is_one_sentence_and_exit_status_1(tmp_path: Path) -> None:
    with spawn("models", "pull", "nobody/nothing", "--json", "--into", str(tmp_path)) as process:
        out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (1, "")
    assert "no model called nobody/nothing" in err
