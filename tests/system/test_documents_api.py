"""Documents through the edge: chunks, text, versions, originals, filters, texts, and deletes by filter."""

import hashlib
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench.client import Client
from bench.stack import Stack
from tests.system import documents
from tests.system.curl import Answer, curl
from tests.system.test_rest import search


def post(stack: Stack, path: str, body: object, *headers: str) -> Answer:
    options = [part for header in ("content-type: application/json", *headers) for part in ("-H", header)]
    file = stack.data.parent / f"body-{time.monotonic_ns()}.json"
    file.write_text(json.dumps(body, ensure_ascii=False))
    return curl("-X", "POST", *options, "--data-binary", f"@{file}", f"{stack.url}{path}")


def document_path(job: dict[str, Any]) -> str:
    return f"/api/v1/rag/{job['document']}"


def ended(stack: Stack, answer: Answer) -> dict[str, Any]:
    """The job of an accepted request, once it has ended."""
    assert answer.status == 202, answer.body
    assert answer.headers["location"] == f"/api/v1/rag/jobs/{answer.json['job_id']}"
    job: dict[str, Any] = curl(f"{stack.url}{answer.headers['location']}?wait=30s").json["job"]
    return job


def test_a_hit_is_shown_among_its_neighbours_and_its_text_is_what_it_cites(
    stack: Stack, client: Client, collection: str
) -> None:
    word = documents.new_word()
    paragraphs = [f"Parágrafo {n} de um texto longo, com assunto próprio. " * 12 for n in range(12)]
    paragraphs[6] += word
    job = client.take_in("longo.txt", "\n\n".join(paragraphs).encode(), collection)
    (hit,) = search(stack, word, collection)["hits"][:1]
    start, end = hit["citation"]["char_start"], hit["citation"]["char_end"]
    path = f"{stack.url}{document_path(job)}"
    around = curl(f"{path}/chunks?version=1&char_start={start}&char_end={end}&before=1&after=1").json["chunks"]
    assert [word in chunk["text"] for chunk in around] == [False, True, False]
    text = curl(f"{path}/text?char_start={start}&char_end={end}").json
    assert text["text"] == hit["text"] == around[1]["text"]
    assert [page["page"] for page in text["pages"]] == [1]
    listed = curl(f"{path}/chunks?page_size=2").json
    assert [chunk["ordinal"] for chunk in listed["chunks"]] == [0, 1]
    assert listed["next_page_token"]


def test_versions_are_told_and_an_older_one_is_not_answered_with_other_text(
    stack: Stack, client: Client, collection: str
) -> None:
    for content in (b"first words", b"second words"):
        job = client.take_in("a.txt", content, collection)
    path = f"{stack.url}{document_path(job)}"
    versions = curl(f"{path}/versions").json["versions"]
    assert [(one["version"], one["current"], one["sha256"]) for one in versions] == [
        (2, True, hashlib.sha256(b"second words").hexdigest()),
        (1, False, hashlib.sha256(b"first words").hexdigest()),
    ]
    gone = curl(f"{path}/text?version=1")
    assert (gone.status, gone.reason) == (404, "VERSION_GONE")


def test_the_original_comes_back_as_an_attachment(
    stack: Stack, client: Client, collection: str, tmp_path: Path
) -> None:
    content = documents.html(documents.new_word()) + b"<!-- " + b"x" * 3_000_000 + b" -->"
    job = client.take_in("relatório final.html", content, collection)
    file = tmp_path / "got"
    answer = curl("-o", str(file), "-D", "-", f"{stack.url}{document_path(job)}:download")
    whole = file.read_bytes()
    assert whole.endswith(content)
    head = answer.headers
    assert answer.status == 200
    assert head["content-disposition"] == (
        "attachment; filename=\"relat_rio final.html\"; filename*=UTF-8''relat%C3%B3rio%20final.html"
    )
    assert (head["x-content-type-options"], head["content-type"]) == ("nosniff", "text/html")
    assert (head["x-content-sha256"], head["x-content-bytes"]) == (
        hashlib.sha256(content).hexdigest(),
        str(len(content)),
    )
    missing = curl(f"{stack.url}/api/v1/rag/documents/01a1fec9-c940-73e6-a56f-56d8c94f9fcd:download")
    assert (missing.status, missing.reason) == (404, "DOCUMENT_NOT_FOUND")


def test_documents_are_listed_by_a_filter(stack: Stack, client: Client, collection: str) -> None:
    for name in ("a.txt", "b.html", "c.txt"):
        client.take_in(name, f"words of {name}".encode(), collection)
    asked = quote('file_name = "a.txt" OR file_name = "c.txt"')
    listed = curl(f"{stack.url}/api/v1/rag/documents?parent={collection}&filter={asked}").json
    assert [one["document_key"] for one in listed["documents"]] == ["a.txt", "c.txt"]


def test_texts_are_found_updated_and_left_alone(stack: Stack, collection: str) -> None:
    words = [documents.new_word() for _ in range(3)]
    texts = [{"key": f"k{n}", "text": f"Um texto com {word}.", "tags": [f"t{n}"]} for n, word in enumerate(words)]
    body = {"collection": collection, "texts": [*texts, {"key": "empty", "text": " "}]}
    job = ended(stack, post(stack, "/api/v1/rag/texts", body))
    assert (job["state"], job["kind"]) == ("JOB_STATE_SUCCEEDED_PARTIALLY", "JOB_KIND_TEXTS")
    assert (job["documents"]["created"], job["documents"]["rejected"]) == ("3", "1")
    assert [warning["reason"] for warning in job["warnings"]] == ["NO_TEXT"]
    assert [search(stack, word, collection)["hits"][0]["document_key"] for word in words] == ["k0", "k1", "k2"]
    changed = [texts[0], texts[1] | {"text": "Outro texto."}, texts[2]]
    again = ended(stack, post(stack, "/api/v1/rag/texts", {"collection": collection, "texts": changed}))
    counts = again["documents"]
    assert (again["state"], counts["updated"], counts["unchanged"]) == ("JOB_STATE_SUCCEEDED", "1", "2")
    path = curl(f"{stack.url}/api/v1/rag/documents?parent={collection}").json["documents"][0]["name"]
    original = curl(f"{stack.url}/api/v1/rag/{path}:download")
    assert (original.status, original.body) == (200, texts[0]["text"])


def test_many_texts_of_many_megabytes_come_through_the_edge(stack: Stack, collection: str) -> None:
    body = {"collection": collection, "texts": [{"key": str(n), "text": "é um texto " * 12_000} for n in range(55)]}
    answer = post(stack, "/api/v1/rag/texts", body, "Idempotency-Key: once")
    assert answer.status == 202, answer.body
    assert int(answer.json["job"]["size_bytes"]) > 7_000_000
    assert curl("-X", "POST", f"{stack.url}/api/v1/rag/jobs/{answer.json['job_id']}:cancel").status in {200, 400}


def test_what_meets_a_filter_is_counted_and_then_deleted(stack: Stack, collection: str) -> None:
    texts = [{"key": f"{n}", "text": f"texto número {n}", "tags": ["even" if n % 2 == 0 else "odd"]} for n in range(20)]
    ended(stack, post(stack, "/api/v1/rag/texts", {"collection": collection, "texts": texts}))
    refused = post(stack, "/api/v1/rag/documents:delete", {"parent": collection})
    assert (refused.status, refused.reason) == (400, "INVALID_REQUEST")
    asked = {"parent": collection, "where": {"tags": ["even"]}}
    dry = post(stack, "/api/v1/rag/documents:delete", asked | {"dry_run": True})
    assert (dry.status, dry.json["document_count"]) == (200, "10")
    job = ended(stack, post(stack, f"/api/v1/rag/collections/{collection}/documents:delete", {"filter": "tags:even"}))
    assert (job["state"], job["kind"]) == ("JOB_STATE_SUCCEEDED", "JOB_KIND_DELETE")
    assert job["documents"]["deleted"] == "10"
    left = curl(f"{stack.url}/api/v1/rag/documents?parent={collection}").json["documents"]
    assert [one["tags"] for one in left] == [["odd"]] * 10
    assert {hit["document_key"] for hit in search(stack, "texto número", collection)["hits"]} <= {
        one["document_key"] for one in left
    }


def test_the_command_takes_texts_in_shows_and_deletes_them(stack: Stack, collection: str, tmp_path: Path) -> None:
    file = tmp_path / "texts.jsonl"
    texts = [{"key": f"k{n}", "text": f"Um texto de número {n}.", "tags": ["a" if n else "b"]} for n in range(3)]
    file.write_text("".join(json.dumps(text) + "\n" for text in texts))
    taken = stack.acervo("texts", str(file), "--collection", collection)
    assert (taken.returncode, taken.stdout.strip()) == (0, "3 created"), taken.stderr
    listed = stack.acervo("documents", "list", "-c", collection, "--filter", "tags:b", "--json")
    (document,) = json.loads(listed.stdout)["documents"]
    chunks = stack.acervo("documents", "chunks", document["name"], "--json")
    assert json.loads(chunks.stdout)["chunks"][0]["text"] == texts[0]["text"]
    got = tmp_path / "got.txt"
    assert stack.acervo("documents", "download", document["name"], "-o", str(got)).returncode == 0
    assert got.read_text() == texts[0]["text"]
    versions = stack.acervo("documents", "versions", document["name"], "--json")
    assert [one["version"] for one in json.loads(versions.stdout)["versions"]] == [1]
    deleted = stack.acervo("documents", "delete", "--filter", "tags:a", "-c", collection, "--yes", "--json")
    assert json.loads(deleted.stdout)["documents"]["deleted"] == 2, deleted.stderr
