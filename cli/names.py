"""Resource names, from what people type."""

import re

import typer

UUID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
COLLECTION = r"[a-z0-9][a-z0-9._-]{0,62}"


def job_name(given: str) -> str:
    """`jobs/{job}` from that or the bare id. Raises BadParameter."""
    bare = given.strip().removeprefix("jobs/")
    if not re.fullmatch(UUID, bare):
        raise typer.BadParameter(f"{given!r} is not a job: `acervo jobs list` shows their ids")
    return f"jobs/{bare}"


def document_name(given: str) -> str:
    """`documents/{document}`, with its collection where that was given. Raises BadParameter."""
    name = given.strip()
    if re.fullmatch(UUID, name):
        name = f"documents/{name}"
    if not re.fullmatch(rf"(?:collections/{COLLECTION}/)?documents/{UUID}", name):
        raise typer.BadParameter(f"{given!r} is not a document: `acervo documents list` shows their ids")
    return name


def collection_name(given: str) -> str:
    """`collections/{collection}` from that or the bare id. Raises BadParameter."""
    bare = given.strip().removeprefix("collections/")
    if not re.fullmatch(COLLECTION, bare):
        raise typer.BadParameter(f"{given!r} is not a collection: lowercase letters, digits, '.', '_' and '-'")
    return f"collections/{bare}"


def short_id(name: str) -> str:
    """The last part of a resource name."""
    return name.rpartition("/")[2]
