"""CollectionService: passed on; deleting also takes back what waits here."""

from acervo.rag.v1 import collection_service_pb2 as pb
from acervo.rag.v1.collection_service_pb2_grpc import CollectionServiceServicer
from gateway.api.rag_server import RagServer, allowed_s
from gateway.use_cases.steering import Steering
from serving.interceptors import Context

DELETE_S = 55.0


class CollectionApi(CollectionServiceServicer):
    """Serves collections."""

    def __init__(self, steering: Steering, rag_server: RagServer) -> None:
        self._steering = steering
        self._rag_server = rag_server

    async def GetCollection(self, request: pb.GetCollectionRequest, context: Context) -> pb.GetCollectionResponse:
        stub = self._rag_server.collections
        return await self._rag_server.ask(stub.GetCollection, request, allowed_s(context), again=True)

    async def ListCollections(self, request: pb.ListCollectionsRequest, context: Context) -> pb.ListCollectionsResponse:
        stub = self._rag_server.collections
        return await self._rag_server.ask(stub.ListCollections, request, allowed_s(context), again=True)

    async def DeleteCollection(
        self, request: pb.DeleteCollectionRequest, context: Context
    ) -> pb.DeleteCollectionResponse:
        stub = self._rag_server.collections
        # Asked first, so that nothing is taken back here for a collection that cannot be deleted now.
        known = pb.GetCollectionRequest(name=request.name)
        await self._rag_server.ask(stub.GetCollection, known, allowed_s(context), again=True)
        await self._steering.give_way(request.name.removeprefix("collections/"), "")
        return await self._rag_server.ask(stub.DeleteCollection, request, allowed_s(context, DELETE_S))
