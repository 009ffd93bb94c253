"""No file grows past what one sitting can read."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST_LINES = 300
GENERATED = ("generated/", "protos/third_party/", "requirements/")


def sources() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    return [path for path in listed if path.endswith((".py", ".proto", ".sh")) and not path.startswith(GENERATED)]


@pytest.mark.parametrize("path", sources())
def test_a_file_has_at_most_300_lines(path: str) -> None:
    assert len((ROOT / path).read_text().splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", sources())
def test_a_file_is_named_after_what_it_holds(path: str) -> None:
    vague = {"manager", "helper", "helpers", "util", "utils", "common", "base", "misc", "handler"}
    assert not vague & set(Path(path).stem.lower().split("_"))
