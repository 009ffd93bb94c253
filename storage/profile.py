"""Where a holding is kept: the profile that ACERVO_STORE names, and how full its disk may get."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from serving.environment import SettingsError

LOW_WATER_BYTES = 1 << 30
LOW_WATER_SHARE = 20  # of a disk that is smaller than twenty times that


@dataclass(frozen=True, slots=True)
class Embedded:
    """Everything in one folder of one machine: SQLite and files."""

    folder: Path


def read_profile(given: str) -> Embedded:
    """The profile by the scheme of ACERVO_STORE. Raises SettingsError."""
    if "://" in given:
        scheme = given.partition("://")[0]
        raise SettingsError(f"ACERVO_STORE must be a folder in this release, not a {scheme} address")
    return Embedded(Path(given).absolute())


def low_water_bytes(given: int | None, folder: Path) -> int:
    """What the disk of `folder` must keep free: as given, else 1 GiB, or 5 % of a smaller disk."""
    if given is not None:
        return given
    return min(LOW_WATER_BYTES, shutil.disk_usage(folder).total // LOW_WATER_SHARE)
