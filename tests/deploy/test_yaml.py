"""What is YAML is YAML: no key twice, no word that is a truth value by accident."""

from pathlib import Path

import pytest
from yamllint import linter
from yamllint.config import YamlLintConfig

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = """
extends: default
rules:
  line-length: disable
  document-start: disable
  braces: {max-spaces-inside: 0}
"""


@pytest.mark.parametrize("path", sorted(DEPLOY.rglob("*.yaml")), ids=lambda path: str(path.relative_to(DEPLOY)))
def test_a_file_has_nothing_to_mend(path: Path) -> None:
    assert [str(problem) for problem in linter.run(path.read_text(), YamlLintConfig(RULES))] == []
