"""Searches over the wire."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

import grpc
import pytest

from acervo.rag.v1 import search_explain_pb2, search_service_pb2_grpc
from acervo.rag.v1 import search_service_pb2 as pb
from rag_server.api.search import SearchApi
from serving.interceptors import Around, Checked
from serving.layers import errors_to_status, identified, valid_request
from serving.server import bind
from tests.fakes.change_log import MemoryChangeLog
from tests.fakes.searched_library import Library
from tests.fakes.serving_views import EMBEDDER, following, texts

Stub: TypeAlias = "search_service_pb2_grpc.SearchServiceAsyncStub"


@pytest.fixture
async def stub(tmp_path: Path) -> AsyncIterator[Stub]:
    log = MemoryChangeLog()
    log.publish("a", texts("As licitações e a obra.", "A obra nova do metrô."))
    with ThreadPoolExecutor(1) as executor, following(log, tmp_path) as follower:
        library = Library(log, follower, executor)
        await library.level()
        server = bind("127.0.0.1:0", [Around(identified), Around(errors_to_status), Checked(valid_request)], ())
        search_service_pb2_grpc.add_SearchServiceServicer_to_server(SearchApi(library.searching), server.grpc)
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            yield search_service_pb2_grpc.SearchServiceStub(channel)
        await server.stop(drain_s=0, grace_s=0)


async def test_highlights_are_ranges_of_the_text(stub: Stub) -> None:
    answer = await stub.Search(pb.SearchRequest(query="licitacao obra", highlight=True))
    hit = answer.hits[0]
    assert [hit.text[mark.start : mark.end] for mark in hit.highlights] == ["licitações", "obra"]
    assert not hit.HasField("explanation")
    assert not answer.HasField("explanation")


async def test_the_explained_parts_give_the_scores(stub: Stub) -> None:
    answer = await stub.Search(pb.SearchRequest(query="licitacao obra", explain=True))
    weights = answer.explanation
    assert len(answer.hits) == 2
    for hit in answer.hits:
        parts = hit.explanation
        score = weights.lexical_weight * parts.bm25 + weights.dense_weight * parts.cosine
        assert score == pytest.approx(hit.score, rel=1e-5)
        assert sum(term.score for term in parts.terms) == pytest.approx(parts.bm25, rel=1e-5)
    assert [term.term for term in answer.hits[0].explanation.terms] == ["licitacao", "obra"]
    assert weights.model_fingerprint == EMBEDDER.fingerprint
    assert search_explain_pb2.SEARCH_STAGE_LEXICAL in {stage.stage for stage in weights.stages}


async def test_nothing_is_marked_unasked(stub: Stub) -> None:
    answer = await stub.Search(pb.SearchRequest(query="licitacao obra"))
    assert not answer.hits[0].highlights


async def test_a_phrase_that_is_nowhere_is_told(stub: Stub) -> None:
    answer = await stub.Search(pb.SearchRequest(query='"nova obra" -licitação'))
    assert [hit.text for hit in answer.hits] == ["A obra nova do metrô."]
    assert list(answer.degraded) == [pb.DEGRADATION_NO_PHRASE]


@pytest.mark.parametrize(("limit", "is_valid"), [(1000, True), (1001, False), (-1, False)])
async def test_a_thousand_hits_may_be_asked_for(stub: Stub, limit: int, *, is_valid: bool) -> None:
    request = pb.SearchRequest(query="obra", limit=limit)
    if is_valid:
        assert len((await stub.Search(request)).hits) == 2
    else:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Search(request)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
