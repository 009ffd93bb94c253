from collections.abc import Callable

import pytest

from acervo.rag.v1 import search_service_pb2
from acervo.rag.v1.search_explain_pb2 import HitExplanation, TermScore
from acervo.rag.v1.search_service_pb2 import Citation, Highlight, SearchHit
from cli.search import cite
from tests.cli.conftest import Run
from tests.cli.fake_acervo import FakeAcervo

Call = Callable[..., Run]


def hit(**changes: object) -> SearchHit:
    where = Citation(document_version=2, page_first=3, page_last=4, char_start=1234, char_end=1789)
    found = SearchHit(
        document="collections/default/documents/d",
        document_key="leis/lei.pdf",
        file_name="lei.pdf",
        citation=where,
        text="A administração pública\nobedecerá aos princípios.",
        score=0.75,
        relevance=0.5,
        headings=["Título III", "Capítulo VII"],
    )
    found.MergeFrom(SearchHit(**changes))  # type: ignore[arg-type]  # fields of the message
    return found


def test_json_has_the_agreed_keys_on_one_line(call: Call, acervo: FakeAcervo) -> None:
    acervo.hits = [hit()]
    acervo.degraded = [search_service_pb2.DEGRADATION_NO_DENSE]
    run = call("search", "administração", "--json")
    assert run.out.count("\n") == 1
    assert run.json == {
        "hits": [
            {
                "document": "collections/default/documents/d",
                "file_name": "lei.pdf",
                "page_first": 3,
                "page_last": 4,
                "char_start": 1234,
                "char_end": 1789,
                "score": 0.75,
                "relevance": 0.5,
                "text": "A administração pública\nobedecerá aos princípios.",
                "headings": ["Título III", "Capítulo VII"],
                "document_key": "leis/lei.pdf",
                "document_version": 2,
                "highlights": [],
            }
        ],
        "degraded": ["NO_DENSE"],
        "took_ms": 12.5,
        "index_sequence": 7,
        "next_page_token": "",
        "facets": {},
    }


def test_options_travel_in_the_request(call: Call, acervo: FakeAcervo) -> None:
    call("search", "two", "words", "--collection", "leis", "--limit", "3", "--mode", "lexical", "--min-sequence", "12")
    (request,) = acervo.searches
    assert (request.query, request.collection, request.limit) == ("two words", "leis", 3)
    assert (request.mode, request.min_sequence) == (search_service_pb2.SEARCH_MODE_LEXICAL, 12)


def test_what_narrows_and_arranges_travels_in_the_request(call: Call, acervo: FakeAcervo) -> None:
    narrowed = ("--filter", 'language = "pt"', "--min-relevance", "0.2", "--by-document", "--diversity", "0.3")
    call("search", "x", *narrowed, "--facet", "tag", "--facet", "media-type", "--no-rerank", "--page-token", "t")
    (request,) = acervo.searches
    assert (request.filter, request.min_relevance, request.diversity) == ('language = "pt"', 0.2, 0.3)
    assert request.group_by == search_service_pb2.GROUP_BY_DOCUMENT
    assert list(request.facets) == [search_service_pb2.FACET_FIELD_TAG, search_service_pb2.FACET_FIELD_MEDIA_TYPE]
    assert (request.rerank, request.page_token) == (search_service_pb2.RERANK_OFF, "t")


def test_other_passages_of_a_document_are_told_behind_its_best(call: Call, acervo: FakeAcervo) -> None:
    other = Citation(document_version=2, page_first=9, page_last=9, char_start=5000, char_end=5100)
    acervo.hits = [hit(others=[SearchHit(file_name="lei.pdf", citation=other)])]
    assert "also p. 9 [5000:5100]" in call("search", "x").out


def test_people_see_rank_citation_score_headings_and_text(call: Call, acervo: FakeAcervo) -> None:
    acervo.hits = [hit()]
    out = call("search", "administracao").out
    assert "1. lei.pdf, p. 3-4 [1234:1789]  50%" in out
    assert "Título III › Capítulo VII" in out
    assert "A administração pública obedecerá aos princípios." in out


def test_the_words_that_the_server_marked_travel_on(call: Call, acervo: FakeAcervo) -> None:
    acervo.hits = [hit(highlights=[Highlight(start=2, end=15)])]
    (found,) = call("search", "administrar", "--json").json["hits"]
    assert acervo.searches[0].highlight
    assert found["highlights"] == [[2, 15]]
    assert found["text"][2:15] == "administração"


def test_people_and_programs_see_how_scores_came_about_when_they_ask(call: Call, acervo: FakeAcervo) -> None:
    terms = [TermScore(term="publica", score=4.0), TermScore(term="administracao", score=2.5)]
    acervo.hits = [hit(explanation=HitExplanation(bm25=6.5, cosine=0.25, lexical_rank=2, terms=terms))]
    out = call("search", "x", "--explain").out
    assert "words 6.50 (rank 2): publica 4.00, administracao 2.50 · meaning 0.250" in out
    assert "score = 0.125 × words + 0.5 × meaning · lexical 12.5 ms" in out
    answer = call("search", "x", "--explain", "--json").json
    assert answer["explanation"] == {
        "lexical_weight": 0.125,
        "dense_weight": 0.5,
        "model": "",
        "model_fingerprint": "f",
        "reranker_fingerprint": "",
        "cache": "MISS",
        "stages_ms": {"LEXICAL": 12.5},
    }
    assert answer["hits"][0]["explanation"]["terms"] == {"publica": 4.0, "administracao": 2.5}


def test_what_was_left_out_is_said(call: Call, acervo: FakeAcervo) -> None:
    acervo.degraded = [search_service_pb2.DEGRADATION_NO_LEXICAL]
    out = call("search", "x").out
    assert "found by meaning only" in out
    assert "Nothing found." in out


def test_text_cannot_steer_the_terminal(call: Call, acervo: FakeAcervo) -> None:
    acervo.hits = [hit(text="\x1b]0;owned\x07 [red]text[/red] \u202egnp.exe", file_name="\x1b[2Jx.pdf")]
    out = call("search", "text").out
    assert not set("\x1b\x07\u202e") & set(out)
    assert "[red]text[/red]" in out


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [(3, 4, "lei.pdf, p. 3-4 [1:9]"), (3, 3, "lei.pdf, p. 3 [1:9]"), (0, 0, "lei.pdf [1:9]")],
)
def test_a_citation_names_its_pages_where_there_are_any(first: int, last: int, expected: str) -> None:
    where = Citation(page_first=first, page_last=last, char_start=1, char_end=9)
    assert cite(SearchHit(file_name="lei.pdf", citation=where)) == expected
