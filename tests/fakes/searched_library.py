"""A store that a test writes by hand, its views, and searches in them."""

from concurrent.futures import Executor

from rag_server.bootstrap.searching import SearchModels, searching
from rag_server.domain.ranking import ModelKind
from rag_server.domain.search import Answer, Query, SearchMode
from rag_server.views.follower import Follower
from tests.fakes.change_log import MemoryChangeLog
from tests.fakes.serving_views import EMBEDDER

LONG_S = 20.0
MODELS = SearchModels("hashing", ModelKind.TRANSFORMER, EMBEDDER)


class Library:
    """A store, its views, and searches in them."""

    def __init__(self, log: MemoryChangeLog, follower: Follower, executor: Executor) -> None:
        self.log = log
        self.follower = follower
        self.searching = searching(follower, log, MODELS, executor)

    async def level(self) -> None:
        self.follower.poke()
        assert await self.follower.wait_for(self.log.last_sequence(), LONG_S)

    async def ask(self, text: str, mode: SearchMode = SearchMode.HYBRID, limit: int = 10) -> Answer:
        return await self.searching.search(Query(text, "default", limit, mode))

    async def found(self, text: str, mode: SearchMode = SearchMode.HYBRID, limit: int = 10) -> list[str]:
        return [hit.passage.text for hit in (await self.ask(text, mode, limit)).hits]
