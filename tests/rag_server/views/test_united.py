"""What is done to one view is done to all of them, or to none."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import structlog

from rag_server.adapters.faiss.view import FaissView
from rag_server.domain.document import DocumentChunks
from rag_server.index_ports import NothingApplied
from rag_server.views import follower as follower_module
from tests.fakes.serving_views import following, library, texts

LONG_S = 20.0


async def test_a_view_to_which_nothing_was_applied_goes_on_from_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_module, "PAUSES_S", (0.01,))
    log = library(3)
    with structlog.testing.capture_logs() as logged, following(log, tmp_path) as follower:
        assert await follower.wait_for(3, LONG_S)
        healthy = FaissView.apply
        away = [True] * 3

        def apply(view: FaissView, documents: Sequence[DocumentChunks]) -> None:
            if away:
                away.pop()
                raise NothingApplied
            healthy(view, documents)

        monkeypatch.setattr(FaissView, "apply", apply)
        log.publish("d9", texts("mais um"))
        follower.poke()
        assert await follower.wait_for(4, LONG_S)
        state = follower.current()
        assert state.vectors.chunk_ids().tolist() == state.words.chunk_ids().tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert not away
    assert "views_built_anew" not in {entry["event"] for entry in logged}
