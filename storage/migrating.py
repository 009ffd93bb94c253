"""Brings the tables of one service to a revision, as an operator asks: what `acervo migrate` runs for each service."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from serving.environment import Environment, SettingsError
from serving.errors import Unusable
from storage.profile import Embedded, Profile, read_profile
from storage.revisions import revisions
from storage.unavailable import StorageUnavailable

TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of a service in some database."""

    present: str
    migrate: Callable[[str], None]
    allow: Callable[[str], None]


def main(service: str, script_location: Path) -> int:
    """Do what the arguments say, tell it in one line of JSON, and return the exit status."""
    parser = argparse.ArgumentParser(prog=f"python -m {service}.migrate", description=__doc__)
    parser.add_argument("--to", default="", metavar="REVISION", help="the newest that this version knows, unless given")
    parser.add_argument("--down", action="store_true", help="go down, although that loses what only newer tables hold")
    parser.add_argument("--allow", default="", metavar="ROLE", help="let this PostgreSQL role work with the tables")
    asked = parser.parse_args()
    try:
        told = _migrate(service, script_location, asked)
    except (Unusable, StorageUnavailable) as error:
        sys.stderr.write(f"acervo migrate: {service}: {error}\n")
        return error.exit_status if isinstance(error, Unusable) else TRY_AGAIN
    sys.stdout.write(json.dumps({"service": service, **told}) + "\n")
    return 0


def _migrate(service: str, script_location: Path, asked: argparse.Namespace) -> dict[str, str]:
    known = revisions(script_location)
    target = asked.to or known[-1]
    if target not in known:
        raise SettingsError(f"there is no revision {target}; there are {', '.join(known)}")
    environment = Environment(os.environ)
    profile = read_profile(
        environment.text("STORE", "data"), environment.text("REDIS", ""), environment.text("BLOBS", "")
    )
    tables = _tables(profile, service, script_location)
    if known.index(target) < known.index(tables.present) and not asked.down:
        raise SettingsError(
            f"the tables are at {tables.present}, and {target} is older: going down loses what only newer tables hold. "
            "Stop every program, make a backup, then add --down."
        )
    tables.migrate(target)
    if asked.allow:
        tables.allow(asked.allow)
    return {"was": tables.present, "is": target}


def _tables(profile: Profile, service: str, script_location: Path) -> Tables:
    if isinstance(profile, Embedded):
        return _in_sqlite(profile.folder / f"{service}.db", script_location)
    return _in_postgres(profile.postgres_url, service, script_location)


def _in_sqlite(path: Path, script_location: Path) -> Tables:
    from storage import migrations  # noqa: PLC0415 - each profile loads its own driver

    def allow(role: str) -> None:
        raise SettingsError(f"SQLite has no roles to let {role} in")

    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    present = migrations.present_revision(path, script_location)
    return Tables(present, lambda target: migrations.migrate(path, script_location, target), allow)


def _in_postgres(url: str, schema: str, script_location: Path) -> Tables:
    from storage import postgres_migrations as postgres  # noqa: PLC0415 - as above

    present = asyncio.run(postgres.present_revision(url, schema, script_location))
    return Tables(
        present,
        lambda target: asyncio.run(postgres.migrate(url, schema, script_location, target)),
        lambda role: asyncio.run(postgres.allow(url, schema, role)),
    )
