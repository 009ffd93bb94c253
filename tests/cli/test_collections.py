from collections.abc import Callable

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


def test_a_name_that_no_collection_can_have_is_wrong_usage(call: Call) -> None:
    assert call("collections", "show", "Leis!").status == 2
