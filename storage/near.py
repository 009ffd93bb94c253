"""A folder of this machine for what can be lost: indexes, fetched files, uploads on their way to other machines."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from serving.environment import Environment, SettingsError

# What a machine is that nobody gave a number or a name: the same as the first of several.
FIRST_REPLICA = "1"
_REPLICA = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")


def near_folder(variables: Mapping[str, str], store: str) -> Path:
    """The one for what is kept at the address `store`; of several of them, none sees what belongs to another.

    Each replica of a machine has one of its own. Raises SettingsError as `read_replica`.
    """
    cache_home = variables.get("XDG_CACHE_HOME", "") or str(Path.home() / ".cache")
    address = urlsplit(store)
    place = f"{address.hostname}:{address.port}{address.path}"  # a new password changes nothing
    replica = read_replica(variables, store)
    suffix = "" if replica == FIRST_REPLICA else f"-{replica}"
    return Path(cache_home, "acervo", hashlib.sha256(place.encode()).hexdigest()[:16] + suffix).absolute()


def read_replica(variables: Mapping[str, str], store: str) -> str:
    """Which of the replicas of this machine the process belongs to. Raises SettingsError."""
    replica = Environment(variables).text("REPLICA", FIRST_REPLICA)
    if not _REPLICA.fullmatch(replica):
        raise SettingsError(f"ACERVO_REPLICA must be a number or a short name such as 2 or blue, not {replica!r}")
    if replica != FIRST_REPLICA and "://" not in store:
        raise SettingsError("ACERVO_REPLICA must be unset where ACERVO_STORE is a folder: only one server can use it")
    return replica
