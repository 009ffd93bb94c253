"""Between the contract's messages of a search and the domain's values."""

import numpy as np

from acervo.rag.v1 import search_explain_pb2 as explain_pb
from acervo.rag.v1 import search_service_pb2 as pb
from rag_server.api import translate
from rag_server.api.translate_filter import filter_of
from rag_server.domain.explanation import Explanation, HitExplanation, StageTime
from rag_server.domain.search import Answer, Facet, FacetField, Hit, Query, RerankWish, SearchMode
from serving import paging
from serving.errors import InvalidInput

DEFAULT_LIMIT = 10
DEFAULT_GROUP_SIZE = 3
LAST_HIT = 1_000  # pages can be turned up to here
MODES = {
    pb.SEARCH_MODE_UNSPECIFIED: SearchMode.HYBRID,
    pb.SEARCH_MODE_HYBRID: SearchMode.HYBRID,
    pb.SEARCH_MODE_LEXICAL: SearchMode.LEXICAL,
    pb.SEARCH_MODE_DENSE: SearchMode.DENSE,
}
WISHES = {
    pb.RERANK_UNSPECIFIED: RerankWish.AUTO,
    pb.RERANK_ON: RerankWish.ON,
    pb.RERANK_OFF: RerankWish.OFF,
}
FIELDS = {pb.FacetField.Value(f"FACET_FIELD_{field}"): field for field in FacetField}


def query(request: pb.SearchRequest, deadline_s: float | None) -> Query:
    """The query. Raises InvalidInput, InvalidFilter, InvalidPageToken."""
    if not (request.query or request.vector):
        raise InvalidInput("A search needs a query, or a vector of the model.", field="query")
    first = int(paging.decode(request.page_token, *_bound(request))) if request.page_token else 0
    return Query(
        text=request.query,
        collection=translate.collection_id(request.collection),
        limit=min(request.limit or DEFAULT_LIMIT, LAST_HIT - first),
        mode=_mode(request),
        min_sequence=request.min_sequence,
        highlight=request.highlight,
        explain=request.explain,
        wanted=filter_of(request.filter, request.where),
        min_relevance=request.min_relevance,
        group_size=(request.group_size or DEFAULT_GROUP_SIZE) if request.group_by else 0,
        diversity=request.diversity,
        first=first,
        facets=tuple(FIELDS[field] for field in request.facets),
        rerank=WISHES[request.rerank],
        vector=np.array(request.vector, np.float32) if request.vector else None,
        deadline_s=deadline_s,
    )


def response(answer: Answer, request: pb.SearchRequest) -> pb.SearchResponse:
    """The message for an answer to the request."""
    more = answer.next_first is not None and answer.next_first < LAST_HIT
    return pb.SearchResponse(
        hits=[_hit(hit) for hit in answer.hits],
        index_sequence=answer.index_sequence,
        degraded=[pb.Degradation.Value(f"DEGRADATION_{degradation}") for degradation in answer.degraded],
        took=translate.duration(answer.took_s),
        explanation=_explanation(answer.explanation),
        next_page_token=paging.encode(str(answer.next_first), *_bound(request)) if more else "",
        facets=[_facet(facet) for facet in answer.facets],
    )


def _mode(request: pb.SearchRequest) -> SearchMode:
    """A vector without words is a search by meaning, whatever is the default."""
    if not request.query and request.mode != pb.SEARCH_MODE_LEXICAL:
        return SearchMode.DENSE
    return MODES[request.mode]


def _bound(request: pb.SearchRequest) -> tuple[str, ...]:
    """What a page token is bound to: all that changes the order of the hits."""
    where = request.where.SerializeToString(deterministic=True).hex()
    numbers = (request.mode, request.min_relevance, request.group_by, request.group_size, request.diversity)
    vector = np.array(request.vector, np.float32).tobytes().hex()
    return request.query, request.collection, request.filter, where, repr(numbers), str(request.rerank), vector


def _hit(value: Hit) -> pb.SearchHit:
    passage = value.passage
    return pb.SearchHit(
        document=translate.document_name(passage.collection, passage.document_id),
        document_key=passage.document_key,
        file_name=passage.file_name,
        citation=pb.Citation(
            document_version=passage.document_version,
            page_first=passage.page_first,
            page_last=passage.page_last,
            char_start=passage.char_start,
            char_end=passage.char_end,
        ),
        text=passage.text,
        score=value.score,
        relevance=value.relevance,
        headings=passage.headings,
        highlights=[pb.Highlight(start=mark.start, end=mark.end) for mark in value.marks],
        explanation=None if value.explanation is None else _of_hit(value.explanation),
        others=[_hit(other) for other in value.others],
    )


def _facet(value: Facet) -> pb.Facet:
    counts = [pb.FacetCount(value=name, documents=count) for name, count in value.counts]
    return pb.Facet(field=pb.FacetField.Value(f"FACET_FIELD_{value.field}"), counts=counts)


def _explanation(value: Explanation | None) -> explain_pb.SearchExplanation | None:
    if value is None:
        return None
    return explain_pb.SearchExplanation(
        lexical_weight=value.weights.lexical,
        dense_weight=value.weights.dense,
        model_fingerprint=value.models.fingerprint,
        model=value.models.name,
        reranker_fingerprint=value.models.reranker_fingerprint,
        cache=explain_pb.SearchCache.Value(f"SEARCH_CACHE_{value.remembered}"),
        stages=[_stage(one) for one in value.stages],
    )


def _of_hit(value: HitExplanation) -> explain_pb.HitExplanation:
    return explain_pb.HitExplanation(
        bm25=value.bm25,
        cosine=value.cosine,
        lexical_rank=value.lexical_rank,
        dense_rank=value.dense_rank,
        terms=[explain_pb.TermScore(term=one.term, score=one.score) for one in value.terms],
        rerank=value.rerank,
    )


def _stage(value: StageTime) -> explain_pb.SearchStageTime:
    stage = explain_pb.SearchStage.Value(f"SEARCH_STAGE_{value.stage}")
    return explain_pb.SearchStageTime(stage=stage, took=translate.duration(value.took_s))
