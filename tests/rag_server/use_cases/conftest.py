from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rag_server.use_cases.searching import SEARCH_THREADS
from tests.fakes.change_log import MemoryChangeLog
from tests.fakes.searched_library import Library
from tests.fakes.serving_views import following


@pytest.fixture
async def library(tmp_path: Path) -> AsyncIterator[Library]:
    log = MemoryChangeLog()
    with ThreadPoolExecutor(SEARCH_THREADS) as executor, following(log, tmp_path) as follower:
        yield Library(log, follower, executor)
