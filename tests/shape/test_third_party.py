"""THIRD_PARTY.md lists what the lock files install, and nothing in them asks for more than a notice."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| ([a-z0-9._-]+) \| (\d\S*) \| ([^|]+) \| [^|]*\|$", re.MULTILINE)
LOCKED = re.compile(r"^([a-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
ALLOWED = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-CMU", "PSF-2.0", "Zlib",
    "MPL-2.0",  # by file: nothing of theirs is changed here
}  # fmt: skip
EXCEPTIONS = {"pymupdf-lite": "AGPL-3.0-only"}

PAGE = (ROOT / "THIRD_PARTY.md").read_text()
LISTED = {name: (version, licence.strip()) for name, version, licence in ROW.findall(PAGE)}


def locked(name: str) -> dict[str, str]:
    return dict(LOCKED.findall((ROOT / "requirements" / f"{name}.txt").read_text()))


def is_allowed(licence: str) -> bool:
    return any(ALLOWED.issuperset(choice.split(" AND ")) for choice in licence.split(" OR "))


def test_it_lists_what_is_locked() -> None:
    assert {name: version for name, (version, _) in LISTED.items()} == locked("run") | locked("pymupdf")


@pytest.mark.parametrize("name", sorted(LISTED))
def test_a_licence_asks_for_a_notice_at_most(name: str) -> None:
    licence = LISTED[name][1]
    assert is_allowed(licence) or EXCEPTIONS.get(name) == licence


def test_only_one_package_is_an_exception_and_the_page_says_so_plainly() -> None:
    assert [name for name, (_, licence) in LISTED.items() if not is_allowed(licence)] == ["pymupdf-lite"]
    assert "PyMuPDF is different: AGPL-3.0" in PAGE


def test_writing_it_again_changes_nothing() -> None:
    command = [sys.executable, str(ROOT / "deploy/third_party.py"), "--print"]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == PAGE
