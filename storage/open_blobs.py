"""Opens the blob store that ACERVO_BLOBS names: a folder that all replicas see, or a bucket."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from obstore.store import S3Store

from storage.blobs import BlobFolder
from storage.object_blobs import ObjectBlobs

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

CACHE_BYTES = 4 << 30
CONNECT_S = 5
REQUEST_S = 60
RETRY_S = 20


@contextmanager
def open_blobs(place: str, near: Path) -> Iterator[BlobFolder | ObjectBlobs]:
    """The blobs at a folder or an s3://bucket/prefix address, until the block ends.

    `near` is a folder of this machine for bytes in passing. Of an address, credentials, region and another endpoint
    come from the environment: AWS_ACCESS_KEY_ID, AWS_REGION, AWS_ENDPOINT_URL and so on.
    """
    if "://" not in place:
        yield BlobFolder(Path(place))
        return
    with _own_folder(near) as folder:
        yield ObjectBlobs(_bucket(place), folder, CACHE_BYTES)


def _bucket(address: str) -> S3Store:
    options: ClientConfig = {
        "connect_timeout": timedelta(seconds=CONNECT_S),
        "timeout": timedelta(seconds=REQUEST_S),
        # Options given here make the library forget this one of the environment's.
        "allow_http": os.environ.get("AWS_ALLOW_HTTP", "").lower() == "true",
    }
    retrying: RetryConfig = {"max_retries": 3, "retry_timeout": timedelta(seconds=RETRY_S)}
    return S3Store.from_url(address, client_options=options, retry_config=retrying)


@contextmanager
def _own_folder(near: Path) -> Iterator[Path]:
    """The first numbered folder that no living process has: what it holds outlives a restart, and they stay few."""
    for number in count(1):
        folder = near / f"blobs-{number}"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if _is_taken(lock):
                continue
            yield folder
            return
        finally:
            os.close(lock)


def _is_taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
