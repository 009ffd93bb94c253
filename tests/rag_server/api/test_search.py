"""Searches over the wire."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

import grpc
import pytest
from grpc_status import rpc_status

from acervo.rag.v1 import filter_pb2, search_explain_pb2, search_service_pb2_grpc
from acervo.rag.v1 import search_service_pb2 as pb
from rag_server.api.search import SearchApi
from rag_server.use_cases.searching import SEARCH_THREADS
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
    with ThreadPoolExecutor(SEARCH_THREADS) as executor, following(log, tmp_path) as follower:
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


async def test_pages_are_turned_with_tokens(stub: Stub) -> None:
    first = await stub.Search(pb.SearchRequest(query="obra", limit=1))
    assert first.next_page_token
    second = await stub.Search(pb.SearchRequest(query="obra", limit=1, page_token=first.next_page_token))
    assert len({hit.text for page in (first, second) for hit in page.hits}) == 2
    assert not second.next_page_token


@pytest.mark.parametrize(
    "other",
    [
        pb.SearchRequest(query="licitação"),
        pb.SearchRequest(query="obra", filter='tags:"x"'),
        pb.SearchRequest(query="obra", group_by=pb.GROUP_BY_DOCUMENT),
        pb.SearchRequest(query="obra", mode=pb.SEARCH_MODE_DENSE),
    ],
)
async def test_a_token_of_another_search_is_refused(stub: Stub, other: pb.SearchRequest) -> None:
    token = (await stub.Search(pb.SearchRequest(query="obra", limit=1))).next_page_token
    other.page_token = token
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.Search(other)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.SearchRequest(), "query"),
        (pb.SearchRequest(vector=[1.0]), "vector"),
        (pb.SearchRequest(query="x", vector=[float("nan")] * EMBEDDER.dimensions), "vector"),
        (pb.SearchRequest(query="x", vector=[0.0] * EMBEDDER.dimensions), "vector"),
        (pb.SearchRequest(query="x", mode=pb.SEARCH_MODE_LEXICAL, vector=[1.0] * EMBEDDER.dimensions), "vector"),
        (pb.SearchRequest(query="x", filter="colour = 3"), "filter"),
        (pb.SearchRequest(query="x", min_relevance=1.5), "min_relevance"),
    ],
)
async def test_what_cannot_be_searched_for_is_refused_with_its_field(
    stub: Stub, request_: pb.SearchRequest, field: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.Search(request_)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    status = rpc_status.from_call(refused.value)  # type: ignore[arg-type]  # the stubs know the synchronous Call only
    assert any(field in detail.value.decode(errors="replace") for detail in status.details)


async def test_a_vector_alone_is_a_search_by_meaning(stub: Stub) -> None:
    vector = EMBEDDER.embed_query("obra nova metrô").tolist()
    answer = await stub.Search(pb.SearchRequest(vector=vector, explain=True))
    assert answer.hits[0].text == "A obra nova do metrô."
    assert answer.explanation.dense_weight == 1
    assert answer.explanation.model == "hashing"


async def test_documents_are_grouped_and_counted(stub: Stub) -> None:
    request = pb.SearchRequest(
        query="obra", group_by=pb.GROUP_BY_DOCUMENT, facets=[pb.FACET_FIELD_MEDIA_TYPE, pb.FACET_FIELD_TAG]
    )
    answer = await stub.Search(request)
    (hit,) = answer.hits
    assert len(hit.others) == 1
    assert 0 < hit.others[0].relevance <= hit.relevance < 1
    media_types, tags = answer.facets
    assert [(count.value, count.documents) for count in media_types.counts] == [("text/plain", 1)]
    assert tags.field == pb.FACET_FIELD_TAG
    assert not tags.counts


async def test_a_filter_in_words_and_one_in_fields_must_both_hold(stub: Stub) -> None:
    plain = filter_pb2.Filter(media_types=["text/plain"])
    other = filter_pb2.Filter(media_types=["application/pdf"])
    assert (await stub.Search(pb.SearchRequest(query="obra", filter="page = 1", where=plain))).hits
    assert not (await stub.Search(pb.SearchRequest(query="obra", filter="page = 1", where=other))).hits
    assert not (await stub.Search(pb.SearchRequest(query="obra", filter="page = 2", where=plain))).hits
