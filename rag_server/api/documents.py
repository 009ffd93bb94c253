"""DocumentService and CollectionService: show and delete what can be found."""

import json

from acervo.rag.v1 import collection_pb2, job_pb2
from acervo.rag.v1 import collection_service_pb2 as collections_pb
from acervo.rag.v1 import document_service_pb2 as pb
from acervo.rag.v1.collection_service_pb2_grpc import CollectionServiceServicer
from acervo.rag.v1.document_service_pb2_grpc import DocumentServiceServicer
from rag_server.api import translate
from rag_server.api.translate_filter import filter_of
from rag_server.domain.document import Collection
from rag_server.domain.errors import NotReady
from rag_server.domain.filter import EVERYTHING
from rag_server.domain.filter_record import filter_to_record
from rag_server.index_ports import Indexes
from rag_server.ports import Documents
from rag_server.use_cases.deleting import Deleting
from rag_server.use_cases.listing import Listing
from rag_server.use_cases.mass_deleting import MassDeleting
from serving import paging
from serving.errors import InvalidInput
from serving.interceptors import Context

STATE_PREFIX = "JOB_STATE_"


class DocumentApi(DocumentServiceServicer):
    """Serves documents."""

    def __init__(self, documents: Documents, listing: Listing, deleting: Deleting, mass_deleting: MassDeleting) -> None:
        self._documents = documents
        self._listing = listing
        self._deleting = deleting
        self._mass_deleting = mass_deleting

    async def GetDocument(self, request: pb.GetDocumentRequest, _context: Context) -> pb.GetDocumentResponse:
        collection, document_id = translate.document_ids(request.name)
        document = await self._documents.get(document_id, collection)
        return pb.GetDocumentResponse(document=translate.document(document))

    async def ListDocuments(self, request: pb.ListDocumentsRequest, _context: Context) -> pb.ListDocumentsResponse:
        collection = translate.collection_id(request.parent)
        wanted = filter_of(request.filter, request.where)
        query = ("documents", collection, json.dumps(filter_to_record(wanted)))
        after = paging.decode(request.page_token, *query)
        limit = request.page_size or paging.DEFAULT_PAGE_SIZE
        found, last = await self._listing.page(collection, after, wanted, limit)
        more = paging.encode(last, *query) if last else ""
        return pb.ListDocumentsResponse(documents=map(translate.document, found), next_page_token=more)

    async def DeleteDocument(self, request: pb.DeleteDocumentRequest, _context: Context) -> pb.DeleteDocumentResponse:
        collection, document_id = translate.document_ids(request.name)
        return pb.DeleteDocumentResponse(sequence=await self._deleting.delete(document_id, collection))

    async def DeleteDocuments(
        self, request: pb.DeleteDocumentsRequest, _context: Context
    ) -> pb.DeleteDocumentsResponse:
        collection = translate.collection_id(request.parent)
        wanted = filter_of(request.filter, request.where)
        if wanted == EVERYTHING and not request.all:
            raise InvalidInput("Without a filter all documents are meant: say so with `all`.", field="filter")
        if request.dry_run:
            return pb.DeleteDocumentsResponse(document_count=await self._listing.count(collection, wanted))
        job = translate.job(await self._mass_deleting.ask(collection, wanted, request.request_id))
        state = job_pb2.JobState.Name(job.state).removeprefix(STATE_PREFIX)
        return pb.DeleteDocumentsResponse(job_id=translate.job_id(job.name), status=state, job=job)


class CollectionApi(CollectionServiceServicer):
    """Serves collections."""

    def __init__(self, documents: Documents, deleting: Deleting, indexes: Indexes) -> None:
        self._documents = documents
        self._deleting = deleting
        self._indexes = indexes

    async def GetCollection(
        self, request: collections_pb.GetCollectionRequest, _context: Context
    ) -> collections_pb.GetCollectionResponse:
        collection = await self._documents.get_collection(translate.collection_id(request.name))
        return collections_pb.GetCollectionResponse(collection=self._told(collection))

    async def ListCollections(
        self, request: collections_pb.ListCollectionsRequest, _context: Context
    ) -> collections_pb.ListCollectionsResponse:
        after = paging.decode(request.page_token, "collections")
        limit = request.page_size or paging.DEFAULT_PAGE_SIZE
        found = await self._documents.list_collections(after, limit + 1)
        more = paging.encode(found[limit - 1].collection, "collections") if len(found) > limit else ""
        collections = [self._told(collection) for collection in found[:limit]]
        return collections_pb.ListCollectionsResponse(collections=collections, next_page_token=more)

    async def DeleteCollection(
        self, request: collections_pb.DeleteCollectionRequest, _context: Context
    ) -> collections_pb.DeleteCollectionResponse:
        sequence, documents = await self._deleting.delete_collection(translate.collection_id(request.name))
        return collections_pb.DeleteCollectionResponse(sequence=sequence, documents_deleted=documents)

    def _told(self, collection: Collection) -> collection_pb2.Collection:
        try:
            holdings = self._indexes.current().vectors.holdings()
        except NotReady:
            holdings = {}
        return translate.collection(collection, holdings.get(collection.collection))
