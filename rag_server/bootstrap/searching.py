"""Puts together what answers searches."""

from concurrent.futures import Executor
from dataclasses import dataclass

from rag_server.domain.explanation import ModelsUsed
from rag_server.domain.ranking import ModelKind
from rag_server.index_ports import Indexes
from rag_server.model_ports import Embedder, Reranker
from rag_server.ports import ChangeLog
from rag_server.use_cases.answering import Answering
from rag_server.use_cases.ordering import Ordering
from rag_server.use_cases.preparing import Preparing
from rag_server.use_cases.searching import Searching


@dataclass(frozen=True, slots=True)
class SearchModels:
    """The models of searches."""

    name: str  # of the embedder's
    kind: ModelKind  # of the embedder's
    embedder: Embedder
    reranker: Reranker | None = None

    @property
    def used(self) -> ModelsUsed:
        """As explanations name them."""
        fingerprint = "" if self.reranker is None else self.reranker.fingerprint
        return ModelsUsed(self.name, self.embedder.fingerprint, fingerprint)


def searching(indexes: Indexes, log: ChangeLog, models: SearchModels, executor: Executor) -> Searching:
    """Searches in these indexes, held against the store of the log. The executor has SEARCH_THREADS threads."""
    ordering = Ordering(log, models.kind, models.reranker)
    preparing = Preparing(models.embedder, ordering.dense_weight, executor)
    return Searching(indexes, preparing, ordering, Answering(log, ordering, models.used), executor)
