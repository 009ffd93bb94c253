"""How an answer came about, for people and for programs."""

from typing import Any

from acervo.rag.v1 import search_explain_pb2
from acervo.rag.v1.search_explain_pb2 import HitExplanation, SearchExplanation
from cli.output import clean
from cli.plain import short_name

CACHE = search_explain_pb2.DESCRIPTOR.enum_types_by_name["SearchCache"]
STAGE = search_explain_pb2.DESCRIPTOR.enum_types_by_name["SearchStage"]


def explain_hit(explanation: HitExplanation) -> str:
    """`words 12.31 (rank 1): licitacao 8.20, obra 4.11 · meaning 0.512 (rank 3)`."""
    terms = ", ".join(f"{clean(term.term)} {term.score:.2f}" for term in explanation.terms)
    words = f"words {explanation.bm25:.2f}{_rank(explanation.lexical_rank)}{': ' if terms else ''}{terms}"
    reranked = f" · reranked {explanation.rerank:.3f}" if explanation.HasField("rerank") else ""
    return f"{words} · meaning {explanation.cosine:.3f}{_rank(explanation.dense_rank)}{reranked}"


def explain_answer(explanation: SearchExplanation) -> str:
    """`score = 0.0812 × words + 0.5 × meaning · lexical 1.2 ms, load 0.4 ms`."""
    stages = ", ".join(f"{name.lower()} {took_ms:.1f} ms" for name, took_ms in _stages(explanation).items())
    return f"score = {explanation.lexical_weight:.4g} × words + {explanation.dense_weight:g} × meaning · {stages}"


def explanation_as_json(explanation: SearchExplanation) -> dict[str, Any]:
    """What is the same for all hits."""
    return {
        "lexical_weight": explanation.lexical_weight,
        "dense_weight": explanation.dense_weight,
        "model": explanation.model,
        "model_fingerprint": explanation.model_fingerprint,
        "reranker_fingerprint": explanation.reranker_fingerprint,
        "cache": short_name(CACHE, explanation.cache),
        "stages_ms": _stages(explanation),
    }


def hit_explanation_as_json(explanation: HitExplanation) -> dict[str, Any]:
    """The parts of a hit's score."""
    return {
        "bm25": explanation.bm25,
        "cosine": explanation.cosine,
        "lexical_rank": explanation.lexical_rank,
        "dense_rank": explanation.dense_rank,
        "terms": {term.term: term.score for term in explanation.terms},
        **({"rerank": explanation.rerank} if explanation.HasField("rerank") else {}),
    }


def _rank(rank: int) -> str:
    return f" (rank {rank})" if rank else ""


def _stages(explanation: SearchExplanation) -> dict[str, float]:
    return {
        short_name(STAGE, stage.stage): round(stage.took.ToTimedelta().total_seconds() * 1000, 3)
        for stage in explanation.stages
    }
