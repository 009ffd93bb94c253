"""The `acervo` command as people and programs use it."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.client import Client
from bench.pdf import text_pdf
from bench.stack import ROOT, Stack
from bench.waiting import until
from tests.system import documents
from tests.system.test_versions import paused

INGEST_KEYS = {
    *("file", "job", "document", "state", "unchanged", "reason", "message", "pages", "chunks", "seconds"),
}
HIT_KEYS = {"document", "file_name", "page_first", "page_last", "char_start", "char_end", "score", "text"}


def test_a_folder_is_taken_in_and_the_second_time_unchanged(stack: Stack, collection: str, tmp_path: Path) -> None:
    make_folder(tmp_path)
    first = stack.acervo("ingest", str(tmp_path), "--collection", collection, "--json")
    assert first.returncode == 0, first.stderr
    lines = read_lines(first.stdout)
    assert all(set(line) == INGEST_KEYS for line in lines)
    assert {line["state"] for line in lines} == {"SUCCEEDED"}
    assert {line["unchanged"] for line in lines} == {False}
    assert all(line["pages"] >= 1 and line["chunks"] >= 1 for line in lines)
    second = stack.acervo("ingest", str(tmp_path), "--collection", collection, "--json")
    again = read_lines(second.stdout)
    assert {line["unchanged"] for line in again} == {True}
    assert {line["document"] for line in again} == {line["document"] for line in lines}


def test_a_bad_file_among_good_ones_makes_the_exit_status_1(stack: Stack, collection: str, tmp_path: Path) -> None:
    make_folder(tmp_path)
    (tmp_path / "partido.pdf").write_bytes(b"%PDF-1.7\nnada")
    done = stack.acervo("ingest", str(tmp_path), "--collection", collection, "--json")
    lines = read_lines(done.stdout)
    states = {Path(line["file"]).name: (line["state"], line["reason"]) for line in lines}
    assert done.returncode == 1
    assert states.pop("partido.pdf") == ("FAILED", "CORRUPT")
    assert set(states.values()) == {("SUCCEEDED", "")}


def test_the_standard_input_is_taken_in(stack: Stack, collection: str) -> None:
    word = documents.new_word()
    done = stack.acervo(
        *("ingest", "-", "--name", "nota.txt", "--collection", collection, "--json"), input=f"Nota {word}."
    )
    assert done.returncode == 0, done.stderr
    (hit,) = json.loads(stack.acervo("search", word, "--collection", collection, "--json").stdout)["hits"]
    assert (hit["file_name"], word in hit["text"]) == ("nota.txt", True)


def test_search_verify_and_health_speak_json(stack: Stack, client: Client, collection: str) -> None:
    word = documents.new_word()
    client.take_in("ata.txt", documents.text(word), collection)
    found = json.loads(stack.acervo("search", word, "--collection", collection, "--json").stdout)
    assert set(found) >= {"hits", "degraded", "took_ms"}
    assert set(found["hits"][0]) >= HIT_KEYS
    verified = stack.verify()
    assert verified["ok"] is True
    assert {"I1", "I2", "I3", "I4"} <= verified["invariants"].keys()
    assert all({"ok", "checked", "detail"} <= set(entry) for entry in verified["invariants"].values())
    assert verified["invariants"]["I1"]["checked"] >= 1
    assert stack.acervo("health", "--json").returncode == 0


def test_a_server_that_is_not_there_is_one_line_and_exit_status_1(stack: Stack) -> None:
    done = stack.acervo("search", "nada", "--server", "127.0.0.1:9")
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1


def test_an_interrupted_ingest_says_what_goes_on_and_it_does(
    stack: Stack, client: Client, collection: str, tmp_path: Path
) -> None:
    word = documents.new_word()
    file = tmp_path / "livro.pdf"
    file.write_bytes(text_pdf(8, 200, word))
    command = [sys.executable, "-m", "cli", "ingest", str(file), "--collection", collection, "--json"]
    with (
        paused(stack, "work"),
        subprocess.Popen(
            command, cwd=ROOT, env=stack.client_environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process,
    ):
        job = until(lambda: queued_job(client, collection), 60, "the job is queued")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert job in said
    assert client.wait(job.removeprefix("jobs/"))["state"] == "JOB_STATE_SUCCEEDED"
    assert len(client.passages_with(word, collection)) == 1


def queued_job(client: Client, collection: str) -> str | None:
    answer = client.http.get("/api/v1/rag/jobs", params={"collection": collection}).json()
    return next((job["name"] for job in answer.get("jobs", [])), None)


def make_folder(folder: Path) -> None:
    (folder / "atas").mkdir()
    (folder / "atas" / "março.txt").write_bytes(documents.text(documents.new_word()))
    (folder / "edição.html").write_bytes(documents.html(documents.new_word()))
    (folder / "convênio.docx").write_bytes(documents.word_file(documents.new_word()))
    (folder / "regulamento.pdf").write_bytes(documents.pdf(documents.new_word()))


def read_lines(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]
