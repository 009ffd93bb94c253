"""How much is taken in."""

import pytest

from gateway.domain.capacity import Capacity
from gateway.domain.errors import DiskLow, UploadTooLarge

CAPACITY = Capacity(max_upload_bytes=1_000, min_free_bytes=500)


def test_a_file_may_be_as_large_as_allowed() -> None:
    CAPACITY.check_size(1_000)
    with pytest.raises(UploadTooLarge) as raised:
        CAPACITY.check_size(1_001)
    assert raised.value.metadata == {"asked": "1001", "allowed": "1000"}


def test_what_must_stay_free_stays_free() -> None:
    CAPACITY.check_disk(free_bytes=800, wanted_bytes=300)
    with pytest.raises(DiskLow) as raised:
        CAPACITY.check_disk(free_bytes=800, wanted_bytes=301)
    assert raised.value.metadata == {"asked": "301", "allowed": "300"}
    assert raised.value.retry_after_s == 60.0


def test_a_form_may_be_a_little_larger_than_its_file() -> None:
    CAPACITY.check_form_size(1_000 + 15 + (1 << 20))
    with pytest.raises(UploadTooLarge):
        CAPACITY.check_form_size(1_000 + 16 + (1 << 20))
