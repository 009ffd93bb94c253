"""REST as curl speaks it."""

import json
import subprocess
from pathlib import Path
from typing import Any

from bench.client import Client
from bench.pdf import text_pdf
from bench.stack import Stack
from tests.system import documents
from tests.system.conftest import MAX_UPLOAD_BYTES
from tests.system.curl import curl
from tests.system.store import Store


def test_a_form_is_accepted_with_a_job_and_can_be_found_when_the_job_has_succeeded(
    stack: Stack, collection: str, tmp_path: Path
) -> None:
    word = documents.new_word()
    file = tmp_path / "relatório.txt"
    file.write_bytes(documents.text(word))
    answer = curl("-F", f"file=@{file}", f"{stack.url}/api/v1/rag/upload?collection={collection}")
    assert answer.status == 202
    assert answer.headers["location"] == f"/api/v1/rag/jobs/{answer.json['job_id']}"
    assert answer.json["status"] == "QUEUED"
    job = curl(f"{stack.url}{answer.headers['location']}?wait=30s").json["job"]
    assert job["state"] == "JOB_STATE_SUCCEEDED"
    assert (job["collection"], job["document_key"]) == (f"collections/{collection}", "relatório.txt")
    (hit,) = search(stack, word, collection)["hits"][:1]
    assert word in hit["text"]
    assert hit["document"] == job["document"]


def test_every_file_of_a_form_has_a_job_of_its_own(stack: Stack, client: Client, collection: str) -> None:
    words = [documents.new_word() for _ in range(4)]
    files = {
        "ata.txt": documents.text(words[0]),
        "boletim.html": documents.html(words[1]),
        "convênio.docx": documents.word_file(words[2]),
        "regulamento.pdf": documents.pdf(words[3]),
    }
    parts = [part for name in files for part in ("-F", f"file=@{name}")]
    folder = stack.data.parent / collection
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    placed = [part.replace("=@", f"=@{folder}/") for part in parts]
    answer = curl(*placed, f"{stack.url}/api/v1/rag/upload?collection={collection}")
    jobs = [entry["job"]["name"].removeprefix("jobs/") for entry in answer.json["files"]]
    assert [entry["file_name"] for entry in answer.json["files"]] == list(files)
    assert {client.wait(job)["state"] for job in jobs} == {"JOB_STATE_SUCCEEDED"}
    found = [client.passages_with(word, collection) for word in words]
    assert [[hit["file_name"] for hit in hits] for hits in found] == [[name] for name in files]


def test_raw_bytes_are_accepted(stack: Stack, client: Client, collection: str, tmp_path: Path) -> None:
    word = documents.new_word()
    file = tmp_path / "corpo"
    file.write_bytes(documents.html(word))
    url = f"{stack.url}/api/v1/rag/upload?collection={collection}&file_name=corpo.html"
    answer = curl("--data-binary", f"@{file}", "-H", "content-type: text/html", url)
    assert answer.status == 202
    assert client.wait(answer.json["job_id"])["state"] == "JOB_STATE_SUCCEEDED"
    assert [hit["file_name"] for hit in client.passages_with(word, collection)] == ["corpo.html"]


def test_a_citation_is_the_place_of_the_text_in_every_format(client: Client, store: Store, collection: str) -> None:
    words = [documents.new_word() for _ in range(4)]
    makers = (documents.text, documents.html, documents.word_file, documents.pdf)
    names = ("a.txt", "b.html", "c.docx", "d.pdf")
    for name, make, word in zip(names, makers, words, strict=True):
        client.take_in(name, make(word), collection)
        (hit,) = client.passages_with(word, collection)
        place = hit["citation"]
        stored = store.text_of(hit["document"])
        assert stored[int(place["char_start"]) : int(place["char_end"])] == hit["text"]
        assert place["page_first"] >= 1


def test_the_events_of_a_job_are_frames_that_end_with_its_end(stack: Stack, client: Client, collection: str) -> None:
    (job_id,) = client.upload({"livro.pdf": text_pdf(1, 300)}, collection)
    frames = events(stack, job_id)
    jobs = [frame for frame in frames if frame.get("event") == "job"]
    revisions = [int(frame["id"]) for frame in jobs]
    states = [json.loads(frame["data"])["state"] for frame in jobs]
    assert revisions == sorted(set(revisions))
    assert len(revisions) >= 2
    assert states[-1] == "JOB_STATE_SUCCEEDED"
    assert "JOB_STATE_SUCCEEDED" not in states[:-1]
    assert frames[-1]["event"] == "end"


def test_events_go_on_after_the_last_that_was_seen(stack: Stack, client: Client, collection: str) -> None:
    (job_id,) = client.upload({"livro.pdf": text_pdf(2, 100)}, collection)
    first, *others = [int(frame["id"]) for frame in events(stack, job_id) if "id" in frame]
    again = [int(frame["id"]) for frame in events(stack, job_id, last_seen=first) if "id" in frame]
    assert again
    assert first not in again
    assert again[-1] == others[-1]


def test_errors_are_statuses_in_json(stack: Stack) -> None:
    nobody = "00000000-0000-7000-8000-000000000000"
    unknown_job = curl(f"{stack.url}/api/v1/rag/jobs/{nobody}")
    assert (unknown_job.status, unknown_job.json["code"], unknown_job.reason) == (404, 5, "JOB_NOT_FOUND")
    unknown_path = curl(f"{stack.url}/api/v1/nada")
    assert (unknown_path.status, unknown_path.json["code"], unknown_path.reason) == (404, 5, "ROUTE_NOT_FOUND")
    too_many = curl(f"{stack.url}/api/v1/search?query=a&limit=1001")
    assert (too_many.status, too_many.json["code"], too_many.reason) == (400, 3, "INVALID_REQUEST")
    no_query = curl(f"{stack.url}/api/v1/search")
    assert (no_query.status, no_query.json["code"], no_query.reason) == (400, 3, "INVALID_REQUEST")


def test_a_body_over_the_limit_is_413(stack: Stack, store: Store, tmp_path: Path) -> None:
    before = store.everything()
    large = tmp_path / "grande.txt"
    large.write_bytes(b"x" * (MAX_UPLOAD_BYTES + (2 << 20)))
    answer = curl("-F", f"file=@{large}", f"{stack.url}/api/v1/rag/upload")
    assert (answer.status, answer.json["code"], answer.reason) == (413, 8, "UPLOAD_TOO_LARGE")
    assert store.everything() == before


def test_the_interface_describes_itself_and_says_that_it_is_well(stack: Stack) -> None:
    assert curl(f"{stack.url}/health/live").status == 200
    ready = curl(f"{stack.url}/health/ready")
    assert (ready.status, ready.json["status"]) == (200, "ok")
    paths = curl(f"{stack.url}/openapi.json").json["paths"]
    assert {"/api/v1/rag/upload", "/api/v1/search"} <= set(paths)


def search(stack: Stack, query: str, collection: str) -> Any:
    url = f"{stack.url}/api/v1/search"
    return curl("-G", url, "--data-urlencode", f"query={query}", "-d", f"collection={collection}").json


def events(stack: Stack, job_id: str, last_seen: int | None = None) -> list[dict[str, str]]:
    """The frames of a whole stream, as `curl -N` receives them."""
    command = ["curl", "-sS", "-N", "--noproxy", "*", "--max-time", "100"]
    command += [] if last_seen is None else ["-H", f"Last-Event-ID: {last_seen}"]
    url = f"{stack.url}/api/v1/rag/jobs/{job_id}/events"
    done = subprocess.run([*command, url], check=True, capture_output=True, text=True)
    frames = [_frame(block) for block in done.stdout.split("\n\n") if block.strip()]
    return [frame for frame in frames if frame.keys() & {"event", "id", "data"}]


def _frame(block: str) -> dict[str, str]:
    lines = (line.partition(":") for line in block.splitlines() if not line.startswith(":"))
    return {name: value.strip() for name, _, value in lines}
