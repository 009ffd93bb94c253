"""Every setting is known, read somewhere, and explained to operators."""

import re
from pathlib import Path

from serving.environment import KNOWN

ROOT = Path(__file__).parents[2]


def test_the_example_explains_every_setting() -> None:
    explained = re.findall(r"^#?(ACERVO_[A-Z_]+)=", (ROOT / "deploy/env.example").read_text(), flags=re.MULTILINE)
    internal = {"ACERVO_FAILPOINT", "ACERVO_TEST_DATA"}
    assert sorted(explained) == sorted(KNOWN - internal)


def test_every_setting_is_read() -> None:
    folders = ("gateway", "rag_server", "cli", "serving", "tests")
    code = "".join(path.read_text() for folder in folders for path in (ROOT / folder).rglob("*.py"))
    for name in KNOWN:
        assert re.search(rf'"({name}|{name.removeprefix("ACERVO_")})"', code), name
