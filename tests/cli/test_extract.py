"""With the real program behind it; no server runs."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, spawn

SAMPLE = ROOT / "samples" / "regulamento-do-arquivo.pdf"
NO_SERVER = "127.0.0.1:1"


def extract(*arguments: str) -> tuple[int, str, str]:
    with spawn("extract", *arguments, ACERVO_SERVER=NO_SERVER) as process:
        out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def test_what_the_machine_sees_is_json_for_programs() -> None:
    status, out, _ = extract(str(SAMPLE), "--json")
    seen = json.loads(out)
    assert status == 0
    assert {"outcome", "reason", "message", "pages", "chunks", "metadata", "seconds"} <= set(seen)
    assert {"number", "text"} <= set(seen["pages"][0])
    keys = {"text", "page_first", "page_last", "char_start", "char_end", "headings"}
    assert keys <= set(seen["chunks"][0])


def test_people_get_a_summary_and_the_beginnings() -> None:
    status, out, _ = extract(str(SAMPLE))
    assert status == 0
    assert "SUCCEEDED" in out
    assert "CAPÍTULO III — DA ELIMINAÇÃO" in out
    assert "\npage 1\n" in out
    assert "\nchunk 1, page 1, characters 0 to " in out
    assert "more chunks: --full shows all" in out
    assert "Art. 23." in extract(str(SAMPLE), "--full")[1]


@pytest.mark.parametrize("as_json", [True, False])
def test_the_exit_status_is_1_where_nothing_was_extracted(tmp_path: Path, as_json: bool) -> None:  # noqa: FBT001 - a parameter of the test
    path = tmp_path / "empty.pdf"
    path.write_bytes(b"")
    status, out, _ = extract(str(path), *(["--json"] if as_json else []))
    assert status == 1
    assert "NO_TEXT" in out
    assert "The file is empty." in out


def test_what_steers_a_terminal_is_not_printed(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("harmless text \x1b[31mred\x07 text\n" + "more text\n" * 100, encoding="utf-8")
    status, out, _ = extract(str(path), "--full")
    assert status == 0
    assert "\x1b" not in out
    assert "\x07" not in out


@pytest.mark.parametrize("name", ["missing.pdf", ""])
def test_what_is_no_file_is_one_sentence(tmp_path: Path, name: str) -> None:
    status, out, err = extract(str(tmp_path / name))
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "is not a file that can be read" in err


def test_a_setting_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    with spawn("extract", str(SAMPLE), ACERVO_MODEL=str(tmp_path)) as process:
        out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err.count("\n")) == (1, "", 1)
    assert "is not a model folder" in err
