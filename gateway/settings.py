"""The settings of the gateway, read from ACERVO_* variables and checked as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from serving.environment import Environment, SettingsError

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Embedded:
    """Everything in one folder of one machine: SQLite and files."""

    folder: Path


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator can choose. deploy/env.example says when to."""

    storage: Embedded
    listen: str  # host:port
    rag_server: str  # host:port
    max_upload_bytes: int
    min_free_bytes: int | None  # uploads are refused below; None: 1 GiB, or 5 % of a smaller disk
    log_level: str


def read(variables: Mapping[str, str]) -> Settings:
    """Raises SettingsError with one sentence for the first setting that cannot be used."""
    environment = Environment(variables)
    environment.refuse_unknown()
    free_is_given = environment.text("MIN_FREE_BYTES", "") != ""
    return Settings(
        storage=_storage(environment.text("STORE", "data")),
        listen=environment.address("GATEWAY_LISTEN", "127.0.0.1:50050"),
        rag_server=environment.address("RAG_SERVER", "127.0.0.1:50051"),
        max_upload_bytes=environment.integer("MAX_UPLOAD_BYTES", 100 * MIB, 1, 1 << 40),
        min_free_bytes=environment.integer("MIN_FREE_BYTES", 0, 0, 1 << 50) if free_is_given else None,
        log_level=environment.choice("LOG_LEVEL", "INFO", LOG_LEVELS),
    )


def _storage(given: str) -> Embedded:
    if "://" in given:
        scheme = given.partition("://")[0]
        raise SettingsError(f"ACERVO_STORE must be a folder in this release, not a {scheme} address")
    return Embedded(Path(given).absolute())
