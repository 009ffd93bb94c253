"""Explaining an answer: the true parts of every score, from the same state of the indexes."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rag_server.domain.explanation import HitExplanation, TermScore
from rag_server.domain.ranking import Scored
from rag_server.domain.search import Hit
from rag_server.use_cases.ordering import Ordered


def explain_hits(ordered: Ordered, hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """The hits, each with its explanation."""
    question, candidates = ordered.question, ordered.candidates
    chunk_ids = np.array([hit.passage.chunk_id for hit in hits], np.int64)
    bm25, cosine = question.scores_of(chunk_ids)
    terms = question.state.words.terms_of(question.wording, chunk_ids) if question.by_words else []
    lexical_ranks, dense_ranks = _ranks(chunk_ids, candidates.lexical), _ranks(chunk_ids, candidates.dense)
    return tuple(
        replace(
            hit,
            explanation=HitExplanation(
                bm25=float(bm25[row]),
                cosine=float(cosine[row]),
                lexical_rank=lexical_ranks[row],
                dense_rank=dense_ranks[row],
                terms=tuple(TermScore(one.term, float(one.scores[row])) for one in terms if one.scores[row] > 0),
                rerank=ordered.reranked.get(hit.passage.chunk_id),
            ),
        )
        for row, hit in enumerate(hits)
    )


def _ranks(chunk_ids: NDArray[np.int64], scored: Scored) -> list[int]:
    rank_of = {chunk_id: rank for rank, chunk_id in enumerate(scored.chunk_ids.tolist(), start=1)}
    return [rank_of.get(chunk_id, 0) for chunk_id in chunk_ids.tolist()]
