import json
from pathlib import Path

import pytest

from cli import run_folder
from cli.failure import Failure
from cli.run_folder import RunFolder, last_line


def test_a_second_launcher_is_kept_out_with_a_clear_sentence(tmp_path: Path) -> None:
    with RunFolder(tmp_path).locked():
        second = RunFolder(tmp_path).locked()
        with pytest.raises(Failure, match=r"another `acervo up` .* runs on .*: stop it first"):
            second.__enter__()


def test_the_state_is_there_while_the_launcher_is(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with folder.locked():
        folder.write_state({"pid": 1})
        assert json.loads((tmp_path / "run/launcher.json").read_text()) == {"pid": 1}
    assert not (tmp_path / "run/launcher.json").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Failure, match="cannot be used"), RunFolder(tmp_path / "file").locked():
        pass


def test_only_a_large_log_is_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_folder, "ROTATE_BYTES", 10)
    folder = RunFolder(tmp_path)
    with folder.locked():
        folder.log_path("serve").write_text("x" * 10)
        folder.rotate_log("serve")
        assert folder.log_path("serve").exists()
        with folder.open_log("serve") as log:
            log.write(b"x")
            log.flush()
            folder.rotate_log("serve")
            log.write(b"on")  # by a program that goes on
        folder.rotate_log("never-written")
    assert {path.name: path.read_text() for path in folder.logs.iterdir()} == {
        "serve.jsonl": "on",
        "serve.jsonl.1": "x" * 11,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("one\ntwo\n\n", "two"),
        ('{"event": "refused", "error": "ACERVO_X"}\n', "refused: ACERVO_X"),
        ('{"other": 1}', '{"other": 1}'),
        ("[1]", "[1]"),
    ],
)
def test_the_last_line_is_made_readable(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "log"
    path.write_text("earlier\n" + text)
    assert last_line(path, len("earlier\n")) == expected
