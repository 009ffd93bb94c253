import json
import os
import pty
import signal
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from google.rpc import error_details_pb2, status_pb2

from acervo.rag.v1 import job_pb2
from tests.cli.conftest import ROOT, Run, spawn, wait_until
from tests.cli.fake_acervo import MAX_SIZE_BYTES, FakeAcervo, start_server
from tests.cli.fake_reading import status_of

Call = Callable[..., Run]
KEYS = ["file", "job", "document", "state", "unchanged", "reason", "message", "pages", "chunks", "seconds"]


def failed(reason: str, message: str) -> job_pb2.Job:
    error = status_pb2.Status(code=3, message=message)
    error.details.add().Pack(error_details_pb2.ErrorInfo(domain="acervo", reason=reason))
    return job_pb2.Job(state=job_pb2.JOB_STATE_FAILED, error=error)


def partial() -> job_pb2.Job:
    warning = job_pb2.JobWarning(reason="CORRUPT", message="Page 2 could not be read.", pages_done=1, pages_total=2)
    state = job_pb2.JOB_STATE_SUCCEEDED_PARTIALLY
    return job_pb2.Job(state=state, document="collections/default/documents/d", warnings=[warning])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.txt", "a.txt", "sub/c.txt", ".hidden", ".git/config"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"the text of {name}")
    return tmp_path


def test_a_file_is_sent_whole_and_its_line_has_exactly_the_agreed_keys(
    call: Call, acervo: FakeAcervo, tmp_path: Path
) -> None:
    contents = os.urandom(600_000)
    (tmp_path / "lei.pdf").write_bytes(contents)
    run = call("ingest", str(tmp_path / "lei.pdf"), "--json")
    (header, received), (line,) = acervo.uploads[0], run.lines
    assert run.status == 0
    assert received == contents
    assert (header.document_key, header.file_name) == ("lei.pdf", "lei.pdf")
    assert list(line) == KEYS
    (job,) = acervo.jobs.values()
    assert line | {"seconds": 0} == {
        "file": str(tmp_path / "lei.pdf"),
        "job": job.name,
        "document": job.document,
        "state": "SUCCEEDED",
        "unchanged": False,
        "reason": "",
        "message": "",
        "pages": 2,
        "chunks": 3,
        "seconds": 0,
    }


def test_an_empty_file_is_a_header_and_an_end(call: Call, acervo: FakeAcervo, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    assert call("ingest", str(tmp_path / "empty.txt"), "--json").status == 0
    assert acervo.uploads[0][1] == b""


def test_a_folder_gives_sorted_relative_keys_and_hides_hidden_files(
    call: Call, acervo: FakeAcervo, folder: Path
) -> None:
    run = call("ingest", str(folder), "--json", "-j", "1")
    assert [header.document_key for header, _ in acervo.uploads] == ["a.txt", "b.txt", "sub/c.txt"]
    assert [line["file"] for line in run.lines] == [str(folder / key) for key in ("a.txt", "b.txt", "sub/c.txt")]


def test_options_travel_in_the_header(call: Call, acervo: FakeAcervo, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    options = [
        "--collection",
        "leis",
        "--tag",
        "x",
        "--tag",
        "y",
        "--priority",
        "9",
        "--key",
        "k",
        "--request-id",
        "r1",
    ]
    assert call("ingest", str(tmp_path / "a.txt"), *options, "--metadata", '{"year":2024,"of":["a"]}').status == 0
    header = acervo.uploads[0][0]
    assert (header.collection, list(header.tags), header.priority) == ("leis", ["x", "y"], 9)
    assert (header.document_key, header.request_id) == ("k", "r1")
    assert MessageToDict(header.metadata) == {"year": 2024, "of": ["a"]}


def test_keys_are_composed_unicode(call: Call, acervo: FakeAcervo, tmp_path: Path) -> None:
    (tmp_path / unicodedata.normalize("NFD", "ação.txt")).write_text("a")
    call("ingest", str(tmp_path), "--json")
    assert acervo.uploads[0][0].document_key == unicodedata.normalize("NFC", "ação.txt")


def test_a_name_that_is_no_utf8_is_taken_in_all_the_same(call: Call, acervo: FakeAcervo, tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/lei\xe7.txt")).write_text("a")
    assert call("ingest", str(tmp_path), "--json").status == 0
    assert acervo.uploads[0][0].document_key == "lei\ufffd.txt"


def test_the_standard_input_is_a_document_with_a_name(call: Call, acervo: FakeAcervo) -> None:
    run = call("ingest", "-", "--name", "notas.txt", "--json", stdin=b"some text")
    assert (acervo.uploads[0][0].document_key, acervo.uploads[0][1]) == ("notas.txt", b"some text")
    assert run.lines[0]["file"] == "notas.txt"


def test_the_second_time_a_file_is_unchanged_and_counted_from_its_document(
    call: Call, acervo: FakeAcervo, folder: Path
) -> None:
    call("ingest", str(folder), "--json")
    run = call("ingest", str(folder), "--json")
    assert run.status == 0
    assert [(line["unchanged"], line["pages"], line["chunks"]) for line in run.lines] == [(True, 2, 3)] * 3
    assert len(acervo.uploads) == 3


def test_a_failed_file_gives_its_reason_and_exit_status_1(call: Call, acervo: FakeAcervo, folder: Path) -> None:
    acervo.endings["b.txt"] = failed("NO_TEXT", "The file has no text.")
    run = call("ingest", str(folder), "--json")
    lines = {Path(line["file"]).name: line for line in run.lines}
    assert run.status == 1
    assert (lines["b.txt"]["state"], lines["b.txt"]["reason"]) == ("FAILED", "NO_TEXT")
    assert lines["b.txt"]["message"] == "The file has no text."
    assert lines["a.txt"]["state"] == lines["c.txt"]["state"] == "SUCCEEDED"


def test_a_partial_success_is_a_success_that_is_named(call: Call, acervo: FakeAcervo, folder: Path) -> None:
    acervo.endings["b.txt"] = partial()
    run = call("ingest", str(folder))
    assert run.status == 0
    assert "2 succeeded, 1 in part" in run.out
    assert f"{folder / 'b.txt'}: SUCCEEDED_PARTIALLY (CORRUPT: Page 2 could not be read.)" in run.out


def test_a_cancelled_job_is_no_success(call: Call, acervo: FakeAcervo, folder: Path) -> None:
    acervo.endings["b.txt"] = job_pb2.Job(state=job_pb2.JOB_STATE_CANCELLED)
    run = call("ingest", str(folder / "b.txt"), "--json")
    assert (run.status, run.lines[0]["state"]) == (1, "CANCELLED")


def test_a_file_that_is_not_admitted_is_told_before_a_byte_is_sent(
    call: Call, acervo: FakeAcervo, tmp_path: Path
) -> None:
    (tmp_path / "big.bin").write_bytes(b"x" * (MAX_SIZE_BYTES + 1))
    run = call("ingest", str(tmp_path / "big.bin"), "--json")
    (line,) = run.lines
    assert run.status == 1
    assert (line["job"], line["state"], line["reason"]) == ("", "FAILED", "UPLOAD_TOO_LARGE")
    assert acervo.uploads == []


def test_an_upload_whose_answer_was_lost_is_not_made_twice(call: Call, acervo: FakeAcervo, folder: Path) -> None:
    acervo.lost_answers = 1
    run = call("ingest", str(folder / "a.txt"), "--json")
    assert (run.status, len(acervo.uploads), len(acervo.jobs)) == (0, 1, 1)
    assert (run.lines[0]["unchanged"], run.lines[0]["chunks"]) == (False, 3)


def test_an_overloaded_server_is_asked_again_after_the_delay_it_gave(
    call: Call, acervo: FakeAcervo, folder: Path
) -> None:
    acervo.refusals = [status_of(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", "Too many.", retry_s=0.05)]
    assert call("ingest", str(folder / "a.txt"), "--json").status == 0


def test_a_full_disk_is_not_asked_again(call: Call, acervo: FakeAcervo, folder: Path) -> None:
    acervo.refusals = [status_of(grpc.StatusCode.RESOURCE_EXHAUSTED, "DISK_LOW", "The disk is full.", retry_s=0.05)]
    run = call("ingest", str(folder / "a.txt"), "--json")
    assert (run.status, run.lines[0]["reason"]) == (1, "DISK_LOW")


def test_a_broken_status_stream_is_resumed_after_the_last_revision(
    call: Call, acervo: FakeAcervo, folder: Path
) -> None:
    acervo.broken_streams = 1
    assert call("ingest", str(folder / "a.txt"), "--json").status == 0
    first, second = acervo.statuses
    assert not first.HasField("after_revision")
    assert second.after_revision == 1


def test_a_server_that_is_restarted_in_the_middle_is_found_again(acervo: FakeAcervo, folder: Path) -> None:
    acervo.running.clear()
    server, port = start_server(acervo)
    with spawn("ingest", str(folder), "--json", "--server", f"127.0.0.1:{port}") as process:
        wait_until(lambda: len(acervo.statuses) == 3, "all three files are followed")
        server.stop(0).wait()
        server, _ = start_server(acervo, port)
        acervo.running.set()
        out, err = process.communicate(timeout=60)
    server.stop(None).wait()
    assert process.returncode == 0, err
    assert [json.loads(line)["state"] for line in out.splitlines()] == ["SUCCEEDED"] * 3
    assert len(acervo.uploads) == 3


def test_without_waiting_the_jobs_are_named_and_the_exit_status_is_0(
    call: Call, acervo: FakeAcervo, folder: Path
) -> None:
    run = call("ingest", str(folder), "--no-wait", "--json")
    assert run.status == 0
    assert {line["state"] for line in run.lines} == {"QUEUED"}
    assert {line["job"] for line in run.lines} == set(acervo.jobs)


def test_ctrl_c_names_the_jobs_that_go_on_and_exits_130(acervo: FakeAcervo, server: str, folder: Path) -> None:
    acervo.running.clear()
    with spawn("ingest", str(folder), "--server", server) as process:
        wait_until(lambda: len(acervo.statuses) == 3, "all three files are followed")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "These jobs go on on the server:" in err
    assert all(job in err for job in acervo.jobs)
    assert "Traceback" not in err


def test_on_a_terminal_bars_show_stage_pages_chunks_rate_and_time_left(
    acervo: FakeAcervo, server: str, folder: Path
) -> None:
    acervo.running.clear()
    leader, follower = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'generated'}", "TERM": "xterm", "COLUMNS": "150"}
    command = [sys.executable, "-m", "cli", "ingest", str(folder / "a.txt"), "--server", server]
    with subprocess.Popen(command, env=environment, stdout=follower, stderr=follower) as process:
        os.close(follower)
        shown = ""
        threading.Timer(20, process.kill).start()
        while "1:02 left" not in shown:
            shown += os.read(leader, 4096).decode(errors="replace")
        acervo.running.set()
        assert process.wait() == 0
    assert "embedding, 2/2 pages, 1/3 chunks, 12/s, 1:02 left" in shown
    os.close(leader)


def test_two_files_with_one_key_are_refused_before_anything_is_sent(
    call: Call, acervo: FakeAcervo, folder: Path
) -> None:
    (folder / "sub" / "a.txt").write_text("another")
    run = call("ingest", str(folder / "a.txt"), str(folder / "sub" / "a.txt"))
    assert (run.status, acervo.uploads) == (2, [])
    assert "would replace the other" in run.err


@pytest.mark.parametrize(
    "arguments",
    [["missing.txt"], ["-"], ["-", "--name", "a", "x"], [".", "--metadata", "[1]"], [".", "--priority", "10"], []],
)
def test_wrong_usage_has_exit_status_2(call: Call, arguments: list[str]) -> None:
    assert call("ingest", *arguments).status == 2


def test_a_server_that_is_not_there_is_named_with_what_to_do(call: Call, folder: Path) -> None:
    run = call("ingest", str(folder), "--server", "127.0.0.1:1")
    assert run.status == 1
    assert run.err.startswith("acervo: cannot reach the server at 127.0.0.1:1: start it with `acervo up`")
    assert run.err.count("\n") == 1
