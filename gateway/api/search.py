"""SearchService: passed on."""

from acervo.rag.v1 import search_service_pb2 as pb
from acervo.rag.v1.search_service_pb2_grpc import SearchServiceServicer
from gateway.api.rag_server import RagServer, allowed_s
from serving.interceptors import Context

# The rag_server waits up to 10 s for `min_sequence` and then says so itself.
SEARCH_S = 10.0
WAITING_SEARCH_S = 12.0


class SearchApi(SearchServiceServicer):
    """Serves searches."""

    def __init__(self, rag_server: RagServer) -> None:
        self._rag_server = rag_server

    async def Search(self, request: pb.SearchRequest, context: Context) -> pb.SearchResponse:
        own_s = WAITING_SEARCH_S if request.min_sequence else SEARCH_S
        return await self._rag_server.ask(
            self._rag_server.search.Search, request, allowed_s(context, own_s), again=True
        )
