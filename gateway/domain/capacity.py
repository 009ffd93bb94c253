"""How much may be taken in: the largest file, and what the disk must keep free."""

from dataclasses import dataclass

from gateway.domain.errors import DiskLow, UploadTooLarge

DISK_RETRY_S = 60.0
# Boundaries and text fields of a form come on top of its files; the edge allows as much.
FORM_SHARE = 64
FORM_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Capacity:
    """What an operator allows."""

    max_upload_bytes: int
    min_free_bytes: int

    @property
    def max_form_bytes(self) -> int:
        """The largest body of a form."""
        return self.max_upload_bytes + self.max_upload_bytes // FORM_SHARE + FORM_BYTES

    def check_size(self, size_bytes: int) -> None:
        """Raises UploadTooLarge."""
        _check_at_most(self.max_upload_bytes, size_bytes, "file")

    def check_form_size(self, size_bytes: int) -> None:
        """Raises UploadTooLarge."""
        _check_at_most(self.max_form_bytes, size_bytes, "form")

    def check_disk(self, free_bytes: int, wanted_bytes: int) -> None:
        """Whether `wanted_bytes` more leave enough. Raises DiskLow."""
        if free_bytes - wanted_bytes < self.min_free_bytes:
            room = max(0, free_bytes - self.min_free_bytes)
            raise DiskLow(retry_after_s=DISK_RETRY_S, asked=str(wanted_bytes), allowed=str(room))


def _check_at_most(allowed: int, asked: int, what: str) -> None:
    if asked > allowed:
        told = f"The {what} has {asked} bytes or more; this server takes up to {allowed}."
        raise UploadTooLarge(told, asked=str(asked), allowed=str(allowed))
