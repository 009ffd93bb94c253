"""Documents and collections are shown and deleted over the wire."""

from typing import TYPE_CHECKING

import grpc
import pytest

from acervo.rag.v1 import collection_service_pb2 as collections_pb
from acervo.rag.v1 import document_service_pb2 as pb
from acervo.rag.v1 import filter_pb2, job_pb2
from acervo.rag.v1.collection_service_pb2_grpc import CollectionServiceStub
from acervo.rag.v1.document_service_pb2_grpc import DocumentServiceStub
from tests.contracts.ingesting import found_texts
from tests.gateway.world import refused
from tests.rag_server.api.conftest import Served

if TYPE_CHECKING:
    from acervo.rag.v1.collection_service_pb2_grpc import CollectionServiceAsyncStub
    from acervo.rag.v1.document_service_pb2_grpc import DocumentServiceAsyncStub


@pytest.fixture
def documents(served: Served) -> "DocumentServiceAsyncStub":
    return DocumentServiceStub(served.channel)


@pytest.fixture
def collections(served: Served) -> "CollectionServiceAsyncStub":
    return CollectionServiceStub(served.channel)


async def take_in(served: Served, content: str, file_name: str, collection: str = "") -> None:
    await served.upload(content.encode(), file_name, collection=collection)
    await served.work_off(content)


async def test_a_document_is_shown_by_its_full_and_by_its_short_name(
    served: Served, documents: "DocumentServiceAsyncStub"
) -> None:
    await take_in(served, "one", "a.txt")
    [listed] = (await documents.ListDocuments(pb.ListDocumentsRequest())).documents
    short = "documents/" + listed.name.rpartition("/")[2]
    for name in (listed.name, short):
        assert (await documents.GetDocument(pb.GetDocumentRequest(name=name))).document == listed


async def test_documents_are_listed_by_key_in_pages(served: Served, documents: "DocumentServiceAsyncStub") -> None:
    for key in ("c.txt", "a.txt", "b.txt"):
        await take_in(served, key, key)
    first = await documents.ListDocuments(pb.ListDocumentsRequest(page_size=2))
    rest = await documents.ListDocuments(pb.ListDocumentsRequest(page_size=2, page_token=first.next_page_token))
    assert [document.document_key for document in [*first.documents, *rest.documents]] == ["a.txt", "b.txt", "c.txt"]


async def test_a_deleted_document_is_gone(served: Served, documents: "DocumentServiceAsyncStub") -> None:
    await take_in(served, "one", "a.txt")
    [document] = (await documents.ListDocuments(pb.ListDocumentsRequest())).documents
    await served.indexes.apply(2)
    assert (await documents.DeleteDocument(pb.DeleteDocumentRequest(name=document.name))).sequence == 2
    assert found_texts(served.store) == []
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await documents.DeleteDocument(pb.DeleteDocumentRequest(name=document.name))
    assert raised.value.code() == grpc.StatusCode.NOT_FOUND


async def test_a_collection_counts_and_goes_with_its_documents(
    served: Served, collections: "CollectionServiceAsyncStub"
) -> None:
    await take_in(served, "one two", "a.txt", "leis")
    await take_in(served, "three", "b.txt", "outra")
    listed = (await collections.ListCollections(collections_pb.ListCollectionsRequest())).collections
    assert [(each.name, each.document_count, each.chunk_count) for each in listed] == [
        ("collections/leis", 1, 2),
        ("collections/outra", 1, 1),
    ]
    await served.indexes.apply(3)
    request = collections_pb.DeleteCollectionRequest(name="collections/leis")
    assert (await collections.DeleteCollection(request)).documents_deleted == 1
    assert found_texts(served.store) == ["three"]


async def test_documents_are_listed_by_a_filter_and_a_page_belongs_to_it(
    served: Served, documents: "DocumentServiceAsyncStub"
) -> None:
    for name in ("a.txt", "b.txt", "c.md"):
        await served.upload(name.encode(), name)
        await served.work_off(name)
    asked = pb.ListDocumentsRequest(filter='file_name = "b.txt" OR file_name = "c.md"', page_size=1)
    first = await documents.ListDocuments(asked)
    asked.page_token = first.next_page_token
    rest = await documents.ListDocuments(asked)
    assert [one.document_key for one in [*first.documents, *rest.documents]] == ["b.txt", "c.md"]
    where = filter_pb2.Filter(document_keys=["a.txt"])
    only = await documents.ListDocuments(pb.ListDocumentsRequest(where=where))
    assert [one.document_key for one in only.documents] == ["a.txt"]
    other = documents.ListDocuments(pb.ListDocumentsRequest(page_token=first.next_page_token))
    assert await refused(other) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN")


async def test_deleting_by_a_filter_makes_a_job_or_counts(
    served: Served, documents: "DocumentServiceAsyncStub"
) -> None:
    await served.upload(b"one", "a.txt")
    await served.work_off("one")
    dry = await documents.DeleteDocuments(pb.DeleteDocumentsRequest(filter='file_name = "a.txt"', dry_run=True))
    assert (dry.document_count, dry.job_id, dry.HasField("job")) == (1, "", False)
    asked = pb.DeleteDocumentsRequest(filter='file_name = "a.txt"', request_id="mine")
    answer = await documents.DeleteDocuments(asked)
    assert (answer.status, answer.job.kind, answer.job.priority) == ("QUEUED", job_pb2.JOB_KIND_DELETE, 9)
    assert answer.job.HasField("documents")
    assert (await documents.DeleteDocuments(asked)).job_id == answer.job_id
    asked.filter = 'file_name = "b.txt"'
    assert await refused(documents.DeleteDocuments(asked)) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "REQUEST_ID_REUSED",
    )


async def test_everything_is_deleted_only_where_that_is_said(
    served: Served, documents: "DocumentServiceAsyncStub"
) -> None:
    await served.upload(b"one", "a.txt")
    await served.work_off("one")
    told = await refused(documents.DeleteDocuments(pb.DeleteDocumentsRequest()))
    assert told == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert (await documents.DeleteDocuments(pb.DeleteDocumentsRequest(all=True))).status == "QUEUED"
    gone = documents.DeleteDocuments(pb.DeleteDocumentsRequest(parent="never", all=True))
    assert await refused(gone) == (grpc.StatusCode.NOT_FOUND, "COLLECTION_NOT_FOUND")
