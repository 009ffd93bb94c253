"""What every store raises where its medium fails."""

from serving.errors import Unavailable


class StorageUnavailable(Unavailable):
    """The store cannot be read or written now."""

    reason = "STORAGE_UNAVAILABLE"
