"""`acervo copy` of a store that the real programs filled: into PostgreSQL, back, broken off, damaged."""

import asyncio
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import apsw
import asyncpg
import pytest

from bench.client import Client
from bench.stack import ROOT, clean_environment, running
from tests.servers.postgres import PostgresServer
from tests.system import documents

TABLES = ("collection", "pinned_model", "job", "version", "document", "page", "chunk", "change", "tombstone", "history")
COLLECTION = "copied"
DEADLINE_S = 120.0


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that nobody uses any longer: documents, a second version, a delete, texts, a failure."""
    data = tmp_path_factory.mktemp("filled") / "data"
    with running(data) as stack, Client(stack.url) as client:
        _fill(client)
    return data


def _fill(client: Client) -> None:
    for number in range(6):
        client.take_in(f"{number}.txt", documents.text(f"palavraum{number}"), COLLECTION)
    client.take_in("0.txt", documents.text("palavradois"), COLLECTION)
    client.take_in("relatorio.pdf", documents.pdf("seção"), COLLECTION)
    (failed,) = client.upload({"locked.pdf": documents.locked_pdf()}, COLLECTION)
    assert client.wait(failed)["state"] == "JOB_STATE_FAILED"
    texts = [{"key": f"ticket-{number}", "text": f"O chamado número {number} está aberto."} for number in range(1_200)]
    for start in (0, 600):
        answer = client.http.post(
            "/api/v1/rag/texts", json={"collection": COLLECTION, "texts": texts[start : start + 600]}
        )
        client.wait(answer.raise_for_status().json()["job"]["name"].removeprefix("jobs/"))
    gone = next(one for one in client.documents(COLLECTION) if one["document_key"] == "5.txt")
    client.http.delete(f"/api/v1/rag/documents/{gone['name'].rpartition('/')[2]}").raise_for_status()


@pytest.fixture
def source(filled: Path, tmp_path: Path) -> Path:
    """A copy of the folder for the test to use up."""
    return Path(shutil.copytree(filled, tmp_path / "source", ignore=shutil.ignore_patterns("*.sock", "run", "logs")))


def _copy(source: str | Path, target: str | Path, blobs: Path, *more: str) -> tuple[int, dict[str, Any], str]:
    """Exit status, what was told in JSON, and what was said besides."""
    command = [sys.executable, "-m", "cli", "copy", "--from", str(source), "--to", str(target), "--json", *more]
    environment = clean_environment({"ACERVO_BLOBS": str(blobs)})
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=DEADLINE_S
    )
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


def _kill(source: Path, target: str, blobs: Path, lines: int) -> None:
    """End the copying of the rag_server's part as soon as it has told so many lines."""
    asked: dict[str, Any] = {"from": {"store": str(source), "blobs": ""}, "afresh": False}
    asked["to"] = {"store": target, "blobs": str(blobs)}
    with subprocess.Popen(
        [sys.executable, "-m", "rag_server.copy"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=clean_environment({}),
    ) as program:  # fmt: skip
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.write(json.dumps(asked) + "\n")
        program.stdin.close()
        for _ in range(lines):
            assert program.stdout.readline()
        program.send_signal(signal.SIGKILL)


def _rows(folder: Path, service: str = "rag_server") -> dict[str, list[tuple[Any, ...]]]:
    connection = apsw.Connection(str(folder / f"{service}.db"), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {
            name: sorted(connection.execute(f"SELECT * FROM {name}"), key=repr)  # noqa: S608 - a test's own file
            for name in names
        }
    finally:
        connection.close()


def test_a_store_goes_into_postgresql_and_back_without_a_difference(
    source: Path, postgres_database: str, tmp_path: Path
) -> None:
    status, told, said = _copy(source, postgres_database, tmp_path / "blobs")
    assert status == 0, (told, said)
    held, waiting = told["services"]
    assert all(held["rows"][table] > 0 for table in TABLES)
    assert waiting["rows"]["outbox"] > 0
    assert held["files"]["missing"] == []
    assert all(one["ok"] for one in held["invariants"].values())
    assert sum(one["checked"] for one in held["invariants"].values()) > 0
    status, told, said = _copy(postgres_database, tmp_path / "back", tmp_path / "blobs")
    assert status == 0, (told, said)
    for service in ("rag_server", "gateway"):
        assert _rows(tmp_path / "back", service) == _rows(source, service)


def test_a_copy_serves_as_what_it_was_copied_from_did(source: Path, postgres_database: str, tmp_path: Path) -> None:
    assert _copy(source, postgres_database, tmp_path / "blobs")[0] == 0
    assert _copy(postgres_database, tmp_path / "back", tmp_path / "blobs")[0] == 0
    with running(tmp_path / "back") as stack, Client(stack.url) as client:
        assert len(client.passages_with("palavradois", COLLECTION)) == 1
        assert client.passages_with("palavraum0", COLLECTION) == []
        assert client.passages_with("palavraum5", COLLECTION) == []
        client.take_in("new.txt", documents.text("palavratres"), COLLECTION)
        assert len(client.passages_with("palavratres", COLLECTION)) == 1
        assert stack.verify()["ok"]


@pytest.mark.parametrize("lines", [1, 4, 7, 12, 20])
def test_a_copy_that_was_killed_goes_on_where_it_was(
    source: Path, postgres_database: str, tmp_path: Path, lines: int
) -> None:
    _kill(source, postgres_database, tmp_path / "blobs", lines)
    status, told, said = _copy(source, postgres_database, tmp_path / "blobs")
    assert status == 0, (told, said)
    held = told["services"][0]
    assert held["resumed"]
    assert held["copied_rows"] < sum(held["rows"].values())


def test_what_is_copied_already_is_compared_and_left_alone(
    source: Path, postgres_database: str, tmp_path: Path
) -> None:
    assert _copy(source, postgres_database, tmp_path / "blobs")[0] == 0
    status, told, said = _copy(source, postgres_database, tmp_path / "blobs")
    assert status == 0, (told, said)
    assert [service["copied_rows"] for service in told["services"]] == [0, 0]
    assert told["services"][0]["files"]["copied"] == 0


def test_a_target_that_holds_something_else_is_refused(source: Path, postgres_database: str, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(source, other)
    assert _copy(source, postgres_database, tmp_path / "blobs")[0] == 0
    connection = apsw.Connection(str(other / "rag_server.db"))
    connection.execute("DELETE FROM history")
    connection.close()
    status, _, said = _copy(other, postgres_database, tmp_path / "blobs")
    assert status != 0
    assert "the target is not empty" in said


def test_a_store_that_somebody_uses_is_refused(source: Path, postgres_database: str, tmp_path: Path) -> None:
    connection = apsw.Connection(str(source / "rag_server.db"))
    connection.execute("SELECT count(*) FROM job").fetchall()
    status, _, said = _copy(source, postgres_database, tmp_path / "blobs")
    connection.close()
    assert status != 0
    assert "a program works with" in said


async def test_a_database_that_a_server_is_connected_to_is_refused(
    source: Path, postgres_database: str, tmp_path: Path
) -> None:
    connection = await asyncpg.connect(postgres_database, server_settings={"application_name": "acervo serve"})
    status, _, said = await asyncio.to_thread(_copy, source, postgres_database, tmp_path / "blobs")
    await connection.close()
    assert status != 0
    assert "programs work with the database (acervo serve)" in said


def test_a_source_that_was_used_since_its_copy_broke_off_is_told(
    source: Path, postgres_database: str, tmp_path: Path
) -> None:
    _kill(source, postgres_database, tmp_path / "blobs", 4)
    connection = apsw.Connection(str(source / "rag_server.db"))
    connection.execute("UPDATE job SET revision = revision + 1 WHERE admission = 1")
    connection.close()
    status, _, said = _copy(source, postgres_database, tmp_path / "blobs")
    assert status != 0
    assert "the source was used since its copy was begun" in said
    status, told, said = _copy(source, postgres_database, tmp_path / "blobs", "--afresh")
    assert status == 0, (told, said)


def test_an_unfinished_copy_is_no_store_and_damage_in_it_is_found(
    source: Path, postgres_database: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    _kill(source, postgres_database, tmp_path / "blobs", 12)
    name = urlsplit(postgres_database).path.strip("/")
    variables = {"ACERVO_STORE": postgres_database, "ACERVO_REDIS": "redis://127.0.0.1:1"}
    environment = clean_environment({**variables, "ACERVO_BLOBS": str(tmp_path / "blobs")})
    refused = subprocess.run(
        [sys.executable, "-m", "cli", "migrate"], check=False, capture_output=True, text=True, cwd=ROOT, env=environment
    )
    assert refused.returncode != 0
    assert "a copy that is not finished" in refused.stderr
    postgres_server.execute("UPDATE rag_server.chunk SET text = 'other' WHERE chunk_id = 3", name)
    status, told, _ = _copy(source, postgres_database, tmp_path / "blobs")
    assert status == 1
    assert any(fault.startswith("chunk: ") for fault in told["services"][0]["faults"])
    status, told, said = _copy(source, postgres_database, tmp_path / "blobs", "--afresh")
    assert status == 0, (told, said)


def test_a_file_that_is_damaged_in_the_source_is_told(source: Path, postgres_database: str, tmp_path: Path) -> None:
    some = next((source / "blobs").glob("[0-9a-f][0-9a-f]/*"))
    wanted = sorted((source / "blobs").glob("[0-9a-f][0-9a-f]/*"))
    for path in wanted:
        content = path.read_bytes()
        path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    status, told, _ = _copy(source, postgres_database, tmp_path / "blobs")
    assert status == 1
    assert any("is damaged in the source" in fault for fault in told["services"][0]["faults"])
    assert not (tmp_path / "blobs" / some.parent.name / some.name).exists()
