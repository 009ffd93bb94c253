"""The program that shows what the machine sees, over real files."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from serving.errors import Unusable

ROOT = Path(__file__).parents[2]
SAMPLES = sorted((ROOT / "samples").iterdir())


def look(path: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ACERVO_")}
    command = [sys.executable, "-m", "rag_server.preview", str(path)]
    environment = {**inherited, **settings}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


def seen(path: Path) -> dict[str, Any]:
    done = look(path)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_every_chunk_is_the_piece_of_text_that_it_cites(path: Path) -> None:
    answer = seen(path)
    assert (answer["outcome"], answer["reason"], answer["message"]) == ("SUCCEEDED", "", "")
    assert answer["pages"]
    assert answer["chunks"]
    joined = "\n\n".join(page["text"] for page in answer["pages"])
    for page in answer["pages"]:
        assert joined.startswith(page["text"], page["char_start"])
    for chunk in answer["chunks"]:
        assert joined[chunk["char_start"] : chunk["char_end"]] == chunk["text"]
        assert 1 <= chunk["page_first"] <= chunk["page_last"] <= answer["pages"][-1]["number"]


def test_headings_properties_and_times_are_told() -> None:
    answer = seen(ROOT / "samples" / "regulamento-do-arquivo.pdf")
    assert answer["metadata"]["title"] == "Regulamento do Arquivo Municipal de Vila Serena"
    assert "CAPÍTULO III — DA ELIMINAÇÃO" in [heading["text"] for heading in answer["headings"]]
    assert any("CAPÍTULO III — DA ELIMINAÇÃO" in chunk["headings"] for chunk in answer["chunks"])
    assert answer["seconds"] == pytest.approx(sum(answer["times"].values()), abs=0.001)


def test_a_file_that_cannot_be_read_says_why_and_has_exit_status_1(tmp_path: Path) -> None:
    path = tmp_path / "old.doc"
    path.write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + "WordDocument".encode("utf-16-le"))
    done = look(path)
    answer = json.loads(done.stdout)
    assert done.returncode == 1
    assert (answer["outcome"], answer["reason"]) == ("FAILED", "UNSUPPORTED")
    assert "save it as .docx" in answer["message"]
    assert (answer["pages"], answer["chunks"], answer["metadata"]) == ([], [], {})


def test_a_setting_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    done = look(SAMPLES[0], ACERVO_MODEL=str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (Unusable.exit_status, "", 1)
    assert "is not a model folder" in done.stderr


def test_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    store = tmp_path / "store"
    assert look(SAMPLES[0], ACERVO_STORE=str(store), TMPDIR=str(tmp_path / "tmp")).returncode == 0
    assert not store.exists()
    assert list((tmp_path / "tmp").iterdir()) == []
