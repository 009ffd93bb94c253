"""The half of the server in memory that is only asked: documents, collections, searches, the system."""
# ruff: noqa: ARG002 - the contract names the methods and gives them their arguments

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from acervo.rag.v1 import (
    collection_pb2,
    collection_service_pb2,
    collection_service_pb2_grpc,
    document_pb2,
    document_service_pb2,
    document_service_pb2_grpc,
    search_explain_pb2,
    search_service_pb2,
    search_service_pb2_grpc,
    system_service_pb2,
    system_service_pb2_grpc,
)
from acervo.rag.v1.search_explain_pb2 import SearchExplanation, SearchStageTime


def status_of(code: grpc.StatusCode, reason: str, message: str, retry_s: float = 0.0) -> status_pb2.Status:
    """A google.rpc.Status as Acervo makes it."""
    status = status_pb2.Status(code=code.value[0], message=message)
    status.details.add().Pack(error_details_pb2.ErrorInfo(domain="acervo", reason=reason))
    if retry_s:
        retry = Duration()
        retry.FromMilliseconds(int(retry_s * 1000))
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=retry))
    return status


def refuse(context: grpc.ServicerContext, code: grpc.StatusCode, reason: str, message: str) -> NoReturn:
    """End a call with a google.rpc.Status."""
    context.abort_with_status(rpc_status.to_status(status_of(code, reason, message)))
    raise AssertionError("abort raises")


@dataclass(eq=False)
class FakeReading(
    document_service_pb2_grpc.DocumentServiceServicer,
    collection_service_pb2_grpc.CollectionServiceServicer,
    search_service_pb2_grpc.SearchServiceServicer,
    system_service_pb2_grpc.SystemServiceServicer,
):
    """What a test sets up to be asked for."""

    documents: dict[str, document_pb2.Document] = field(default_factory=dict)
    searches: list[search_service_pb2.SearchRequest] = field(default_factory=list)
    hits: list[search_service_pb2.SearchHit] = field(default_factory=list)
    degraded: list[search_service_pb2.Degradation.ValueType] = field(default_factory=list)
    invariants: list[system_service_pb2.Invariant] = field(default_factory=list)
    components: list[system_service_pb2.Component] = field(default_factory=list)
    counts: list[system_service_pb2.JobCount] = field(default_factory=list)
    vector_index: collection_pb2.VectorIndex | None = None  # of all collections
    ready: bool = True

    def GetDocument(
        self, request: document_service_pb2.GetDocumentRequest, context: grpc.ServicerContext
    ) -> document_service_pb2.GetDocumentResponse:
        return document_service_pb2.GetDocumentResponse(document=self._document(request.name, context))

    def ListDocuments(
        self, request: document_service_pb2.ListDocumentsRequest, context: grpc.ServicerContext
    ) -> document_service_pb2.ListDocumentsResponse:
        return document_service_pb2.ListDocumentsResponse(documents=self.documents.values())

    def DeleteDocument(
        self, request: document_service_pb2.DeleteDocumentRequest, context: grpc.ServicerContext
    ) -> document_service_pb2.DeleteDocumentResponse:
        self._document(request.name, context)
        del self.documents[request.name]
        return document_service_pb2.DeleteDocumentResponse(sequence=9)

    def GetCollection(
        self, request: collection_service_pb2.GetCollectionRequest, context: grpc.ServicerContext
    ) -> collection_service_pb2.GetCollectionResponse:
        collection = collection_pb2.Collection(
            name=request.name, document_count=len(self.documents), vector_index=self.vector_index
        )
        return collection_service_pb2.GetCollectionResponse(collection=collection)

    def ListCollections(
        self, request: collection_service_pb2.ListCollectionsRequest, context: grpc.ServicerContext
    ) -> collection_service_pb2.ListCollectionsResponse:
        names = sorted({name.partition("/documents/")[0] for name in self.documents})
        collections = [
            collection_pb2.Collection(name=name, document_count=1, vector_index=self.vector_index) for name in names
        ]
        return collection_service_pb2.ListCollectionsResponse(collections=collections)

    def DeleteCollection(
        self, request: collection_service_pb2.DeleteCollectionRequest, context: grpc.ServicerContext
    ) -> collection_service_pb2.DeleteCollectionResponse:
        gone = [name for name in self.documents if name.startswith(f"{request.name}/")]
        for name in gone:
            del self.documents[name]
        return collection_service_pb2.DeleteCollectionResponse(sequence=11, documents_deleted=len(gone))

    def Search(
        self, request: search_service_pb2.SearchRequest, context: grpc.ServicerContext
    ) -> search_service_pb2.SearchResponse:
        self.searches.append(request)
        took = Duration()
        took.FromMicroseconds(12500)
        stage = SearchStageTime(stage=search_explain_pb2.SEARCH_STAGE_LEXICAL, took=took)
        explanation = SearchExplanation(
            lexical_weight=0.125,
            dense_weight=0.5,
            model_fingerprint="f",
            cache=search_explain_pb2.SEARCH_CACHE_MISS,
            stages=[stage],
        )
        return search_service_pb2.SearchResponse(
            hits=self.hits,
            degraded=self.degraded,
            took=took,
            index_sequence=7,
            explanation=explanation if request.explain else None,
        )

    def GetHealth(
        self, request: system_service_pb2.GetHealthRequest, context: grpc.ServicerContext
    ) -> system_service_pb2.GetHealthResponse:
        return system_service_pb2.GetHealthResponse(ready=self.ready, components=self.components)

    def GetCounts(
        self, request: system_service_pb2.GetCountsRequest, context: grpc.ServicerContext
    ) -> system_service_pb2.GetCountsResponse:
        return system_service_pb2.GetCountsResponse(counts=self.counts)

    def Verify(
        self, request: system_service_pb2.VerifyRequest, context: grpc.ServicerContext
    ) -> Iterator[system_service_pb2.VerifyResponse]:
        for invariant in self.invariants:
            yield system_service_pb2.VerifyResponse(invariant=invariant)

    def _document(self, name: str, context: grpc.ServicerContext) -> document_pb2.Document:
        if name not in self.documents:
            refuse(context, grpc.StatusCode.NOT_FOUND, "DOCUMENT_NOT_FOUND", "There is no such document.")
        return self.documents[name]
