"""SearchService: finds passages."""

import time

from acervo.rag.v1 import search_service_pb2 as pb
from acervo.rag.v1.search_service_pb2_grpc import SearchServiceServicer
from rag_server.api import translate_search
from rag_server.use_cases.searching import Searching
from serving.interceptors import Context


class SearchApi(SearchServiceServicer):
    """Serves searches."""

    def __init__(self, searching: Searching) -> None:
        self._searching = searching

    async def Search(self, request: pb.SearchRequest, context: Context) -> pb.SearchResponse:
        return await self.answer(request, context.time_remaining())

    async def answer(self, request: pb.SearchRequest, left_s: float | None) -> pb.SearchResponse:
        """The answer to a valid request that has so many seconds left. Raises as `Searching.search`."""
        query = translate_search.query(request, None if left_s is None else time.monotonic() + left_s)
        answer = await self._searching.search(query)
        return translate_search.response(answer, request)
