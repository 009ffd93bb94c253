"""DocumentService: passed on; deleting also takes back what waits here for the same document."""

from acervo.rag.v1 import document_service_pb2 as pb
from acervo.rag.v1.document_service_pb2_grpc import DocumentServiceServicer
from gateway.api.idempotency import agreed_request_id
from gateway.api.rag_server import RagServer, allowed_s
from gateway.domain.upload import DEFAULT_COLLECTION
from gateway.use_cases.steering import Steering
from serving.interceptors import Context
from serving.layers import valid_request

ACCEPTED = "202"


class DocumentApi(DocumentServiceServicer):
    """Serves documents."""

    def __init__(self, steering: Steering, rag_server: RagServer) -> None:
        self._steering = steering
        self._rag_server = rag_server

    async def GetDocument(self, request: pb.GetDocumentRequest, context: Context) -> pb.GetDocumentResponse:
        stub = self._rag_server.documents
        return await self._rag_server.ask(stub.GetDocument, request, allowed_s(context), again=True)

    async def ListDocuments(self, request: pb.ListDocumentsRequest, context: Context) -> pb.ListDocumentsResponse:
        stub = self._rag_server.documents
        return await self._rag_server.ask(stub.ListDocuments, request, allowed_s(context), again=True)

    async def DeleteDocument(self, request: pb.DeleteDocumentRequest, context: Context) -> pb.DeleteDocumentResponse:
        stub = self._rag_server.documents
        asked = pb.GetDocumentRequest(name=request.name)
        document = (await self._rag_server.ask(stub.GetDocument, asked, allowed_s(context), again=True)).document
        # What was asked last wins: an upload that waits here came before this.
        collection = document.name.split("/")[1]
        await self._steering.give_way(collection, document.document_key)
        await self._steering.let_pass(collection, texts_only=True)
        return await self._rag_server.ask(stub.DeleteDocument, request, allowed_s(context))

    async def DeleteDocuments(self, request: pb.DeleteDocumentsRequest, context: Context) -> pb.DeleteDocumentsResponse:
        request.request_id = agreed_request_id(context, request.request_id)
        valid_request(request)
        if not request.dry_run:
            collection = request.parent.removeprefix("collections/") or DEFAULT_COLLECTION
            await self._steering.let_pass(collection, texts_only=False)
        response = await self._rag_server.ask(
            self._rag_server.documents.DeleteDocuments, request, allowed_s(context), again=request.dry_run
        )
        if response.job_id:
            # The edge turns the first into the HTTP status.
            location = f"/api/v1/rag/jobs/{response.job_id}"
            await context.send_initial_metadata((("x-http-code", ACCEPTED), ("location", location)))
        return response
