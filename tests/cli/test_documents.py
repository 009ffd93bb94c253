from collections.abc import Callable

import pytest

from acervo.rag.v1.document_pb2 import Document
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
