from collections.abc import Callable
from pathlib import Path

import pytest

from acervo.rag.v1.content_pb2 import Chunk, DocumentVersion
from acervo.rag.v1.document_pb2 import Document
from acervo.rag.v1.job_pb2 import JOB_STATE_SUCCEEDED, DocumentCounts, Job
from tests.cli.conftest import Run
from tests.cli.fake_acervo import FakeAcervo

Call = Callable[..., Run]
ID = "01900000-0000-7000-8000-000000000001"
NAME = f"collections/leis/documents/{ID}"


@pytest.fixture
def document(acervo: FakeAcervo) -> Document:
    document = Document(name=NAME, document_key="lei.pdf", page_count=9, page_total=12, chunk_count=40, tags=["a"])
    document.metadata.update({"year": 2024})
    document.properties["title"] = "Lei"
    acervo.documents[NAME] = document
    return document


def test_documents_are_listed(call: Call, document: Document) -> None:
    listed = call("documents", "list", "--json").json["documents"]
    assert [one["document_key"] for one in listed] == ["lei.pdf"]
    assert "9 of 12" in call("documents", "list").out
    assert document.name == NAME


def test_a_document_is_shown_with_its_metadata_as_data(call: Call, document: Document) -> None:
    shown = call("documents", "show", document.name, "--json").json
    assert (shown["metadata"], shown["properties"], shown["tags"]) == ({"year": 2024}, {"title": "Lei"}, ["a"])
    assert '{"year": 2024.0}' in call("documents", "show", document.name).out


def test_a_deleted_document_gives_the_sequence_to_search_from(
    call: Call, acervo: FakeAcervo, document: Document
) -> None:
    assert call("documents", "delete", document.name, "--json").json == {"document": NAME, "sequence": 9}
    assert acervo.documents == {}


def test_a_document_that_is_not_there_is_an_error_with_advice(call: Call) -> None:
    run = call("documents", "show", ID)
    assert run.status == 1
    assert "`acervo documents list`" in run.err


def test_the_chunks_and_the_versions_of_a_document_are_listed(call: Call, acervo: FakeAcervo) -> None:
    acervo.chunks = [Chunk(ordinal=0, text="Artigo 1", char_end=8, page_first=1, page_last=2, headings=["Lei"])]
    acervo.versions = [DocumentVersion(version=2, current=True, file_name="lei.pdf", size_bytes=12)]
    assert call("documents", "chunks", NAME, "--json").json["chunks"][0]["text"] == "Artigo 1"
    assert "1-2" in call("documents", "chunks", NAME).out
    assert call("documents", "versions", NAME, "--json").json["versions"][0]["current"] is True
    assert "2 (current)" in call("documents", "versions", NAME).out


def test_a_download_is_written_whole_or_not_at_all(
    call: Call, acervo: FakeAcervo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    acervo.original = ("leis/lei.txt", [b"Artigo ", b"1"])
    assert call("documents", "download", NAME, "--json").json["path"] == "lei.txt"
    assert (tmp_path / "lei.txt").read_bytes() == b"Artigo 1"
    again = call("documents", "download", NAME)
    assert (again.status, "-o" in again.err) == (1, True)
    acervo.announced_sha256 = "0" * 64
    assert call("documents", "download", NAME, "-o", "other.txt").status == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lei.txt"]


def test_deleting_by_a_filter_counts_first_and_needs_a_yes(call: Call, acervo: FakeAcervo) -> None:
    counts = DocumentCounts(deleted=12)
    acervo.endings[""] = Job(state=JOB_STATE_SUCCEEDED, documents=counts, sequence=9)
    delete = ("documents", "delete", "--filter", "tags:draft", "--collection", "leis")
    assert call(*delete, "--dry-run", "--json").json == {"document_count": 12}
    unsaid = call(*delete)
    assert (unsaid.status, "--yes" in unsaid.err) == (1, True)
    assert "12 deleted" in call(*delete, "--yes").out
    assert [(one.filter, one.dry_run, one.parent) for one in acervo.deletes] == [
        ("tags:draft", True, "leis"),
        ("tags:draft", False, "leis"),
    ]


def test_a_delete_says_what_is_meant(call: Call) -> None:
    assert call("documents", "delete").status == 2
    assert call("documents", "delete", NAME, "--all").status == 2
