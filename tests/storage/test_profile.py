"""The profile that the settings name."""

from pathlib import Path

import pytest

from serving.environment import SettingsError
from storage.profile import Embedded, Production, read_profile

STORE = "postgresql://acervo:sesame@db/acervo"
REDIS = "rediss://:sesame@cache:6380/1"


def test_a_folder_is_the_embedded_profile() -> None:
    assert read_profile("data") == Embedded(Path("data").absolute())


@pytest.mark.parametrize("blobs", ["s3://bucket/prefix", "/mnt/shared"])
def test_an_address_is_the_production_profile(blobs: str) -> None:
    assert read_profile(STORE, REDIS, blobs) == Production(STORE, REDIS, blobs)


def test_passwords_are_not_shown() -> None:
    assert "sesame" not in repr(read_profile(STORE, REDIS, "s3://bucket"))


@pytest.mark.parametrize(
    ("name", "store", "redis", "blobs"),
    [
        ("ACERVO_STORE", "mysql://a:sesame@db/acervo", REDIS, "/mnt/shared"),
        ("ACERVO_STORE", "postgresql://a:sesame@db", REDIS, "/mnt/shared"),
        ("ACERVO_STORE", "postgresql://a:ses/ame@db/acervo", REDIS, "/mnt/shared"),
        ("ACERVO_STORE", "postgresql://a:sesame@[db/acervo", REDIS, "/mnt/shared"),
        ("ACERVO_REDIS", STORE, "", "/mnt/shared"),
        ("ACERVO_REDIS", STORE, "cache:6379", "/mnt/shared"),
        ("ACERVO_REDIS", STORE, "http://:sesame@cache", "/mnt/shared"),
        ("ACERVO_REDIS", STORE, "redis://:se/same@cache", "/mnt/shared"),
        ("ACERVO_BLOBS", STORE, REDIS, ""),
        ("ACERVO_BLOBS", STORE, REDIS, "blobs"),
        ("ACERVO_BLOBS", STORE, REDIS, "file:///mnt/shared"),
        ("ACERVO_REDIS", "data", REDIS, ""),
        ("ACERVO_BLOBS", "data", "", "/mnt/shared"),
    ],
)
def test_what_cannot_be_used_is_named_without_its_password(name: str, store: str, redis: str, blobs: str) -> None:
    with pytest.raises(SettingsError, match=name) as raised:
        read_profile(store, redis, blobs)
    assert "sesame" not in str(raised.value)
    assert "ses" not in str(raised.value).replace("addresses", "").replace("address", "")
