from collections.abc import Callable

import pytest

from acervo.rag.v1.collection_pb2 import (
    VECTOR_INDEX_KIND_EXACT,
    VECTOR_INDEX_KIND_PGVECTOR,
    VECTOR_INDEX_KIND_SEGMENTS,
    VectorIndex,
)
from acervo.rag.v1.document_pb2 import Document
from tests.cli.conftest import Run
from tests.cli.fake_acervo import FakeAcervo

Call = Callable[..., Run]


def test_collections_are_listed_shown_and_deleted(call: Call, acervo: FakeAcervo) -> None:
    acervo.documents["collections/leis/documents/1"] = Document(name="collections/leis/documents/1")
    (listed,) = call("collections", "list", "--json").json["collections"]
    assert (listed["name"], listed["document_count"]) == ("collections/leis", 1)
    assert "leis" in call("collections", "list").out
    assert call("collections", "show", "leis", "--json").json["name"] == "collections/leis"
    deleted = call("collections", "delete", "collections/leis", "--json").json
    assert deleted == {"collection": "collections/leis", "documents_deleted": 1, "sequence": 11}
    assert "There are no collections." in call("collections", "list").out


@pytest.mark.parametrize(
    ("index", "shown"),
    [
        (VectorIndex(vector_count=9, exact_count=9, size_bytes=9_500, kind=VECTOR_INDEX_KIND_EXACT), "exact, 9.5 kB"),
        (
            VectorIndex(exact_count=7, segment_count=2, size_bytes=81_000_000, kind=VECTOR_INDEX_KIND_SEGMENTS),
            "2 segments and 7 exact, 81.0 MB",
        ),
        (VectorIndex(vector_count=9, kind=VECTOR_INDEX_KIND_PGVECTOR), "pgvector"),
    ],
)
def test_how_the_vectors_are_searched_is_told(call: Call, acervo: FakeAcervo, index: VectorIndex, shown: str) -> None:
    acervo.documents["collections/leis/documents/1"] = Document(name="collections/leis/documents/1")
    acervo.vector_index = index
    assert shown in call("collections", "list").out
    assert shown in call("collections", "show", "leis").out
    kind = call("collections", "show", "leis", "--json").json["vector_index"]["kind"]
    assert kind in {"EXACT", "SEGMENTS", "PGVECTOR"}


def test_a_name_that_no_collection_can_have_is_wrong_usage(call: Call) -> None:
    assert call("collections", "show", "Leis!").status == 2
