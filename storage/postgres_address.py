"""The address of a PostgreSQL, and what a connection to it may take and wait for."""

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from serving.environment import SettingsError

BOUNCER = "pgbouncer"  # our own word in the address: `?pgbouncer=true`
STATEMENTS_CACHED = 200  # per connection


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of the server one process takes, and how long it waits. A statement that takes longer has failed."""

    connections: int = 8
    connect_s: float = 5.0
    statement_s: float = 30.0
    lock_s: float = 10.0
    idle_in_transaction_s: float = 30.0
    retry_s: float = 5.0  # how long a work is tried again while the server is away


@dataclass(frozen=True, slots=True)
class Address:
    """Where a PostgreSQL is. The address may hold a password: it is never printed."""

    dsn: str = field(repr=False)
    bouncer: bool  # between us and the server stands a pgbouncer that gives each transaction another session

    @property
    def statements_cached(self) -> int:
        """A prepared statement has a name in one session, and behind such a pgbouncer the next one is another."""
        return 0 if self.bouncer else STATEMENTS_CACHED


def read_address(url: str) -> Address:
    """The address as drivers know it, and what we alone read from it. Raises SettingsError."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    given = options.pop(BOUNCER, "false")
    if given not in ("true", "false"):
        raise SettingsError(f"{BOUNCER} must be true or false in the address of the database, not {given!r}")
    return Address(urlunsplit(parts._replace(query=urlencode(options))), given == "true")
