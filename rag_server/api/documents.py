"""DocumentService and CollectionService: show and delete what can be found."""

from acervo.rag.v1 import collection_service_pb2 as collections_pb
from acervo.rag.v1 import document_service_pb2 as pb
from acervo.rag.v1.collection_service_pb2_grpc import CollectionServiceServicer
from acervo.rag.v1.document_service_pb2_grpc import DocumentServiceServicer
from rag_server.api import translate
from rag_server.ports import Documents
from rag_server.use_cases.deleting import Deleting
from serving import paging
from serving.interceptors import Context


class DocumentApi(DocumentServiceServicer):
    """Serves documents."""

    def __init__(self, documents: Documents, deleting: Deleting) -> None:
        self._documents = documents
        self._deleting = deleting

    async def GetDocument(self, request: pb.GetDocumentRequest, _context: Context) -> pb.GetDocumentResponse:
        collection, document_id = translate.document_ids(request.name)
        document = await self._documents.get(document_id, collection)
        return pb.GetDocumentResponse(document=translate.document(document))

    async def ListDocuments(self, request: pb.ListDocumentsRequest, _context: Context) -> pb.ListDocumentsResponse:
        collection = translate.collection_id(request.parent)
        after = paging.decode(request.page_token, "documents", collection)
        limit = request.page_size or paging.DEFAULT_PAGE_SIZE
        found = await self._documents.list_documents(collection, after, limit + 1)
        more = paging.encode(found[limit - 1].document_key, "documents", collection) if len(found) > limit else ""
        documents = [translate.document(document) for document in found[:limit]]
        return pb.ListDocumentsResponse(documents=documents, next_page_token=more)

    async def DeleteDocument(self, request: pb.DeleteDocumentRequest, _context: Context) -> pb.DeleteDocumentResponse:
        collection, document_id = translate.document_ids(request.name)
        return pb.DeleteDocumentResponse(sequence=await self._deleting.delete(document_id, collection))


class CollectionApi(CollectionServiceServicer):
    """Serves collections."""

    def __init__(self, documents: Documents, deleting: Deleting) -> None:
        self._documents = documents
        self._deleting = deleting

    async def GetCollection(
        self, request: collections_pb.GetCollectionRequest, _context: Context
    ) -> collections_pb.GetCollectionResponse:
        collection = await self._documents.get_collection(translate.collection_id(request.name))
        return collections_pb.GetCollectionResponse(collection=translate.collection(collection))

    async def ListCollections(
        self, request: collections_pb.ListCollectionsRequest, _context: Context
    ) -> collections_pb.ListCollectionsResponse:
        after = paging.decode(request.page_token, "collections")
        limit = request.page_size or paging.DEFAULT_PAGE_SIZE
        found = await self._documents.list_collections(after, limit + 1)
        more = paging.encode(found[limit - 1].collection, "collections") if len(found) > limit else ""
        collections = [translate.collection(collection) for collection in found[:limit]]
        return collections_pb.ListCollectionsResponse(collections=collections, next_page_token=more)

    async def DeleteCollection(
        self, request: collections_pb.DeleteCollectionRequest, _context: Context
    ) -> collections_pb.DeleteCollectionResponse:
        sequence, documents = await self._deleting.delete_collection(translate.collection_id(request.name))
        return collections_pb.DeleteCollectionResponse(sequence=sequence, documents_deleted=documents)
