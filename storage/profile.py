"""Where a holding is kept: the profile that ACERVO_STORE names, and how full its disk may get."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from serving.environment import SettingsError

LOW_WATER_BYTES = 1 << 30
LOW_WATER_SHARE = 20  # of a disk that is smaller than twenty times that
POSTGRES_SCHEMES = ("postgresql", "postgres")
REDIS_SCHEMES = ("redis", "rediss", "unix")
BLOB_SCHEMES = ("s3",)


@dataclass(frozen=True, slots=True)
class Embedded:
    """Everything in one folder of one machine: SQLite and files."""

    folder: Path


@dataclass(frozen=True, slots=True)
class Production:
    """Several machines on one PostgreSQL. The addresses may hold passwords: they are never printed."""

    postgres_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    blobs_url: str = field(repr=False)


Profile = Embedded | Production


def read_profile(given: str, redis_url: str = "", blobs_url: str = "") -> Profile:
    """The profile by the scheme of ACERVO_STORE. Raises SettingsError."""
    if "://" in given:
        _check_scheme("ACERVO_STORE", given, POSTGRES_SCHEMES, "a folder or a postgresql:// address")
        if not _parts("ACERVO_STORE", given).path.strip("/"):
            raise SettingsError("ACERVO_STORE must name the database: postgresql://user@host/database")
    for name, url in (("ACERVO_REDIS", redis_url), ("ACERVO_BLOBS", blobs_url)):
        if bool(url) != ("://" in given):
            must = "must be unset where ACERVO_STORE is a folder, and set where it is a postgresql:// address"
            raise SettingsError(f"{name} {must}")
    if "://" not in given:
        return Embedded(Path(given).absolute())
    _check_scheme("ACERVO_REDIS", redis_url, REDIS_SCHEMES, "a redis:// address")
    if "://" in blobs_url:
        _check_scheme("ACERVO_BLOBS", blobs_url, BLOB_SCHEMES, "a folder that all machines see, or s3://bucket/prefix")
    elif not Path(blobs_url).is_absolute():
        raise SettingsError("ACERVO_BLOBS must be an absolute path, or s3://bucket/prefix")
    return Production(given, redis_url, blobs_url)


def _check_scheme(name: str, url: str, schemes: tuple[str, ...], wanted: str) -> None:
    """Say what is wrong without the address, which may hold a password. Raises SettingsError."""
    scheme, divider, _ = url.partition("://")
    if not divider or scheme not in schemes:
        raise SettingsError(f"{name} must be {wanted}" + (f", not a {scheme} address" if divider else ""))
    _parts(name, url)


def _parts(name: str, url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # is read now: a stray sign in the password makes it no number
    except ValueError:
        # Its text would hold a part of the password.
        raise SettingsError(
            f"{name} cannot be read as an address: signs such as / : @ # in a password are written as %2F %3A %40 %23"
        ) from None
    return parts


def low_water_bytes(given: int | None, folder: Path) -> int:
    """What the disk of `folder` must keep free: as given, else 1 GiB, or 5 % of a smaller disk."""
    if given is not None:
        return given
    return min(LOW_WATER_BYTES, shutil.disk_usage(folder).total // LOW_WATER_SHARE)
