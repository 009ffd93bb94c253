"""Which blob store an address stands for."""

from pathlib import Path

import pytest

from storage.blobs import BlobFolder
from storage.object_blobs import ObjectBlobs
from storage.open_blobs import open_blobs


def test_a_path_is_a_folder_that_all_replicas_see(tmp_path: Path) -> None:
    with open_blobs(str(tmp_path / "shared"), tmp_path / "near") as blobs:
        assert isinstance(blobs, BlobFolder)
    assert not (tmp_path / "near").exists()


def test_an_address_is_a_bucket_and_each_process_has_a_folder_of_its_own_nearby(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with open_blobs("s3://bucket/prefix", tmp_path) as first, open_blobs("s3://bucket/prefix", tmp_path) as second:
        assert isinstance(first, ObjectBlobs)
        assert isinstance(second, ObjectBlobs)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["blobs-1", "blobs-2"]
    with open_blobs("s3://bucket/prefix", tmp_path):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blobs-1", "blobs-2"]
