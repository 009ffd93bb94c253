"""Between the contract's messages of a search and the domain's values."""

from acervo.rag.v1 import search_explain_pb2, search_service_pb2
from rag_server.api import translate
from rag_server.domain.explanation import Explanation, HitExplanation, StageTime
from rag_server.domain.search import Hit


def hit(value: Hit) -> search_service_pb2.SearchHit:
    """The message for a hit."""
    passage = value.passage
    return search_service_pb2.SearchHit(
        document=translate.document_name(passage.collection, passage.document_id),
        document_key=passage.document_key,
        file_name=passage.file_name,
        citation=search_service_pb2.Citation(
            document_version=passage.document_version,
            page_first=passage.page_first,
            page_last=passage.page_last,
            char_start=passage.char_start,
            char_end=passage.char_end,
        ),
        text=passage.text,
        score=value.score,
        headings=passage.headings,
        highlights=[search_service_pb2.Highlight(start=mark.start, end=mark.end) for mark in value.marks],
        explanation=None if value.explanation is None else _of_hit(value.explanation),
    )


def explanation(value: Explanation | None) -> search_explain_pb2.SearchExplanation | None:
    """The message for what is the same for all hits; None stays unset."""
    if value is None:
        return None
    return search_explain_pb2.SearchExplanation(
        lexical_weight=value.weights.lexical,
        dense_weight=value.weights.dense,
        model_fingerprint=value.fingerprint,
        stages=[_stage(one) for one in value.stages],
    )


def _of_hit(value: HitExplanation) -> search_explain_pb2.HitExplanation:
    return search_explain_pb2.HitExplanation(
        bm25=value.bm25,
        cosine=value.cosine,
        lexical_rank=value.lexical_rank,
        dense_rank=value.dense_rank,
        terms=[search_explain_pb2.TermScore(term=one.term, score=one.score) for one in value.terms],
    )


def _stage(value: StageTime) -> search_explain_pb2.SearchStageTime:
    stage = search_explain_pb2.SearchStage.Value(f"SEARCH_STAGE_{value.stage}")
    return search_explain_pb2.SearchStageTime(stage=stage, took=translate.duration(value.took_s))
