import os
from pathlib import Path
from typing import Any

import pytest

from cli.failure import Failure
from cli.files import find_sources


def test_files_keep_the_order_given_and_folders_are_sorted(tmp_path: Path) -> None:
    for name in ("folder/b", "folder/a", "folder/x/c", "z"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    sources = find_sources([tmp_path / "z", tmp_path / "folder"])
    assert [source.document_key for source in sources] == ["z", "a", "b", "x/c"]
    assert [source.file_name for source in sources] == ["z", "a", "b", "c"]


def test_a_hidden_file_that_is_named_is_taken(tmp_path: Path) -> None:
    (tmp_path / ".notes").touch()
    assert [source.document_key for source in find_sources([tmp_path / ".notes"])] == [".notes"]


def test_a_folder_of_hidden_files_holds_nothing_to_take(tmp_path: Path) -> None:
    (tmp_path / ".notes").touch()
    with pytest.raises(Failure, match="hidden files are skipped"):
        find_sources([tmp_path])


def test_a_link_to_nothing_inside_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "b").symlink_to("nothing")
    assert [source.document_key for source in find_sources([tmp_path])] == ["a"]


def test_a_pipe_is_refused_with_what_to_do(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Failure, match="give its bytes to `-`"):
        find_sources([tmp_path / "pipe"])


def test_a_folder_that_cannot_be_read_is_not_left_out_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "locked").mkdir()
    scan = os.scandir

    def refusing(path: str) -> Any:  # root, who runs tests in containers, may read everything
        if path.endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(Failure, match="locked cannot be read: Permission denied"):
        find_sources([tmp_path])
