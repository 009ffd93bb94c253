"""The settings of the gateway, read from ACERVO_* variables and checked as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from serving.environment import Environment
from serving.logs import LEVELS
from storage.near import near_folder
from storage.profile import Profile, read_profile

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator can choose. deploy/env.example says when to."""

    storage: Profile
    near: Path  # a folder of this machine for what can be lost
    listen: str  # host:port
    rag_servers: tuple[str, ...]  # host:port of each, or of what balances between them
    max_upload_bytes: int
    min_free_bytes: int | None  # uploads are refused below; None: 1 GiB, or 5 % of a smaller disk
    log_level: str


def read(variables: Mapping[str, str]) -> Settings:
    """Raises SettingsError with one sentence for the first setting that cannot be used."""
    environment = Environment(variables)
    environment.refuse_unknown()
    store = environment.text("STORE", "data")
    return Settings(
        storage=read_profile(store, environment.text("REDIS", ""), environment.text("BLOBS", "")),
        near=near_folder(variables, store),
        listen=environment.address("GATEWAY_LISTEN", "127.0.0.1:50050"),
        rag_servers=environment.addresses("RAG_SERVER", "127.0.0.1:50051"),
        max_upload_bytes=environment.integer("MAX_UPLOAD_BYTES", 100 * MIB, 1, 1 << 40),
        min_free_bytes=environment.optional_integer("MIN_FREE_BYTES", 0, 1 << 50),
        log_level=environment.choice("LOG_LEVEL", "INFO", LEVELS),
    )
