"""Reranking: documents of other programs are ordered by how well they answer a query."""

from dataclasses import dataclass

import numpy as np

from rag_server.domain.errors import ModelNotFound, RerankerNotConfigured
from rag_server.domain.model import ModelUse, Reranked, RerankOrder, ServedModel
from rag_server.model_ports import Reranker
from rag_server.use_cases.taking_turns import Places, TakingTurns
from serving.errors import InvalidInput

MOST_CHARS = 4_000_000
# More characters than so many a token are cut before they are tokenised: the model would not read them.
READ_CHARS_PER_TOKEN = 32
CHARS_PER_TOKEN = 4  # about, to tell costs
PAIR_COST = 16  # tokens' worth of what each pair costs beside its tokens


@dataclass(frozen=True, slots=True)
class Reranking:
    """Reranks in turns, those of embedding among them. Without a reranker it can only say so."""

    reranker: Reranker | None
    turns: TakingTurns

    @property
    def models(self) -> list[ServedModel]:
        """The one that is configured, or none."""
        served = self.reranker
        if served is None:
            return []
        return [ServedModel(served.name, ModelUse.RERANKER, 0, served.max_tokens, served.fingerprint)]

    async def rerank(self, order: RerankOrder) -> Reranked:
        """Raises RerankerNotConfigured, ModelNotFound, InvalidInput, Exhausted."""
        reranker = self.reranker
        if reranker is None:
            raise RerankerNotConfigured
        if order.model and order.model.lower() != reranker.name.lower():
            raise ModelNotFound(name=order.model, model=order.model)
        if sum(map(len, order.documents)) > MOST_CHARS:
            told = f"The documents have more than {MOST_CHARS} characters: send fewer at once."
            raise InvalidInput(told, field="documents")
        read = [document[: reranker.max_tokens * READ_CHARS_PER_TOKEN] for document in order.documents]
        scores = np.zeros(len(read), np.float32)
        token_counts = np.zeros(len(read), np.int64)

        def score(places: Places) -> None:
            texts = [read[place] for place in places.tolist()]
            scores[places] = reranker.score(order.query, texts)
            token_counts[places[0]] = reranker.token_count(order.query, texts)

        lengths = np.array([len(order.query) + len(text) for text in read], np.int64)
        costs = np.minimum(lengths // CHARS_PER_TOKEN, reranker.max_tokens) + PAIR_COST
        with self.turns.batch():
            await self.turns.work_off(score, costs, "rerank")
        places = np.lexsort((np.arange(len(scores)), -scores))[: order.top_n or None]
        return Reranked(reranker.name, places, scores[places], int(token_counts.sum()))
