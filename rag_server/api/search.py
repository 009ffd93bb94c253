"""SearchService: finds passages."""

from acervo.rag.v1 import search_service_pb2 as pb
from acervo.rag.v1.search_service_pb2_grpc import SearchServiceServicer
from rag_server.api import translate, translate_search
from rag_server.domain.search import Query, SearchMode
from rag_server.use_cases.searching import Searching
from serving.interceptors import Context

DEFAULT_LIMIT = 10
MODES = {
    pb.SEARCH_MODE_UNSPECIFIED: SearchMode.HYBRID,
    pb.SEARCH_MODE_HYBRID: SearchMode.HYBRID,
    pb.SEARCH_MODE_LEXICAL: SearchMode.LEXICAL,
    pb.SEARCH_MODE_DENSE: SearchMode.DENSE,
}


class SearchApi(SearchServiceServicer):
    """Serves searches."""

    def __init__(self, searching: Searching) -> None:
        self._searching = searching

    async def Search(self, request: pb.SearchRequest, _context: Context) -> pb.SearchResponse:
        query = Query(
            text=request.query,
            collection=translate.collection_id(request.collection),
            limit=request.limit or DEFAULT_LIMIT,
            mode=MODES[request.mode],
            min_sequence=request.min_sequence,
            highlight=request.highlight,
            explain=request.explain,
        )
        answer = await self._searching.search(query)
        return pb.SearchResponse(
            hits=[translate_search.hit(hit) for hit in answer.hits],
            index_sequence=answer.index_sequence,
            degraded=[pb.Degradation.Value(f"DEGRADATION_{degradation}") for degradation in answer.degraded],
            took=translate.duration(answer.took_s),
            explanation=translate_search.explanation(answer.explanation),
        )
