"""How answers are put together: filters, relevance, groups, variety, pages, counts."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from rag_server.domain.filter import AllOf, AnyOf, Comparison, Condition, Field, Filter, NoneOf, Scalar
from rag_server.domain.ranking import Scored
from rag_server.domain.search import FacetField, Query, SearchMode
from rag_server.use_cases import retrieving
from tests.fakes.change_log import Text
from tests.fakes.searched_library import Library
from tests.fakes.serving_views import EMBEDDER, texts

THEMES = ("obra", "escola", "multa", "prazo", "contrato", "licitação", "saneamento")


def query(text: str, **how: object) -> Query:
    return replace(Query(text, "default", 10), **how)  # type: ignore[arg-type] # the names are those of Query


def is_(field: Field, value: Scalar, *path: str) -> Condition:
    return Condition(field, Comparison.EQUAL, value, path)


async def _shelf(library: Library, documents: int) -> None:
    """Documents of three passages each, with tags, languages and metadata that go round."""
    for n in range(documents):
        words = " ".join(THEMES[(n + k) % len(THEMES)] for k in range(3))
        library.log.publish(
            f"d{n}",
            texts(*(f"{words} passagem {p} do documento {n}" for p in range(3))),
            tags=("par",) if n % 2 == 0 else ("impar", "raro") if n % 9 == 0 else ("impar",),
            language="pt" if n % 3 else "en",
            media_type="application/pdf" if n % 4 else "text/plain",
            metadata={"ano": 2000 + n, "final": n == documents - 1},
        )
    await library.level()


FILTERS: dict[str, tuple[Filter, Callable[[int], bool]]] = {
    "a tag": (is_(Field.TAGS, "par"), lambda n: n % 2 == 0),
    "two things": (AllOf((is_(Field.TAGS, "impar"), is_(Field.LANGUAGE, "en"))), lambda n: n % 2 == 1 and n % 3 == 0),
    "either": (
        AnyOf((is_(Field.METADATA, 2003, "ano"), is_(Field.METADATA, 2031, "ano"))),
        lambda n: n in {3, 31},
    ),
    "a range": (Condition(Field.METADATA, Comparison.GREATER_OR_EQUAL, 2030, ("ano",)), lambda n: n >= 30),
    "none of": (NoneOf((is_(Field.TAGS, "par"),)), lambda n: n % 2 == 1),
    "one document": (is_(Field.METADATA, True, "final"), lambda n: n == 39),
    "nothing": (is_(Field.TAGS, "inexistente"), lambda _: False),
}


@pytest.mark.parametrize("mode", SearchMode)
@pytest.mark.parametrize("name", FILTERS)
async def test_a_filter_leaves_just_what_it_means_and_leaves_out_none_of_it(
    library: Library, name: str, mode: SearchMode
) -> None:
    await _shelf(library, 40)
    wanted, meant = FILTERS[name]
    answer = await library.searching.search(query(" ".join(THEMES), mode=mode, limit=500, wanted=wanted))
    found = {hit.passage.document_id for hit in answer.hits}
    assert found == {f"d{n}" for n in range(40) if meant(n)}
    assert len(answer.hits) == 3 * len(found)


async def test_a_filter_on_pages_is_held_against_each_passage_however_deep_they_lie(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrieving, "CANDIDATES", 4)
    monkeypatch.setattr(retrieving, "MOST_CANDIDATES", 8)
    library.log.publish("a", [replace(text, page=n) for n, text in enumerate(texts(*["obra pública"] * 200), 1)])
    await library.level()
    late = Condition(Field.PAGE, Comparison.GREATER, 195)
    answer = await library.searching.search(query("obra", limit=20, wanted=late))
    assert sorted(hit.passage.page_first for hit in answer.hits) == [196, 197, 198, 199, 200]


async def test_what_the_index_is_not_sure_of_is_held_against_the_filter(library: Library) -> None:
    long = "x" * 600  # longer than the index keeps
    library.log.publish("a", texts("obra"), metadata={"nota": long + "a"})
    library.log.publish("b", texts("obra"), metadata={"nota": long + "b"})
    await library.level()
    answer = await library.searching.search(query("obra", wanted=is_(Field.METADATA, long + "b", "nota")))
    assert [hit.passage.document_id for hit in answer.hits] == ["b"]


async def test_hits_below_the_relevance_that_is_wanted_are_left_out(library: Library) -> None:
    await _shelf(library, 30)
    every = (await library.searching.search(query("saneamento da escola", limit=200))).hits
    relevances = [hit.relevance for hit in every]
    assert relevances == sorted(relevances, reverse=True)
    assert all(0 <= relevance <= 1 for relevance in relevances)
    least = relevances[len(relevances) // 2]
    some = (await library.searching.search(query("saneamento da escola", limit=200, min_relevance=least))).hits
    assert [hit.passage.chunk_id for hit in some] == [hit.passage.chunk_id for hit in every if hit.relevance >= least]


@pytest.mark.parametrize("how", [{}, {"group_size": 2}, {"mode": SearchMode.LEXICAL}, {"mode": SearchMode.DENSE}])
async def test_pages_put_together_are_the_whole_answer(
    library: Library, monkeypatch: pytest.MonkeyPatch, how: dict[str, object]
) -> None:
    monkeypatch.setattr(retrieving, "CANDIDATES", 4)
    await _shelf(library, 25)
    whole = await library.searching.search(query("obra escola multa", limit=300, **how))
    assert whole.next_first is None
    for size in (1, 7, 20):
        pages: list[str] = []
        first: int | None = 0
        while first is not None:
            page = await library.searching.search(query("obra escola multa", limit=size, first=first, **how))
            pages += [hit.passage.text for hit in page.hits]
            assert page.next_first is None or len(page.hits) == size
            first = page.next_first
        assert pages == [hit.passage.text for hit in whole.hits]


async def test_grouped_by_document_each_hit_is_a_document_with_its_next_best_passages(library: Library) -> None:
    await _shelf(library, 20)
    answer = await library.searching.search(query("obra passagem 1", limit=6, group_size=3))
    documents = [hit.passage.document_id for hit in answer.hits]
    assert len(documents) == len(set(documents)) == 6
    for hit in answer.hits:
        assert {other.passage.document_id for other in hit.others} <= {hit.passage.document_id}
        scores = [hit.score, *(other.score for other in hit.others)]
        assert scores == sorted(scores, reverse=True)
    assert any(hit.others for hit in answer.hits)


async def test_variety_puts_what_is_alike_further_down(library: Library) -> None:
    library.log.publish("same", texts(*(f"obra pública de saneamento {'x' * (n % 2)}" for n in range(8))))
    library.log.publish("other", texts("multa por atraso em obra pública"))
    await library.level()
    plain = await library.searching.search(query("obra pública saneamento", limit=3))
    assert {hit.passage.document_id for hit in plain.hits} == {"same"}
    varied = await library.searching.search(query("obra pública saneamento", limit=3, diversity=0.7))
    assert {hit.passage.document_id for hit in varied.hits} == {"same", "other"}
    assert varied.hits[0].passage.chunk_id == plain.hits[0].passage.chunk_id


async def test_documents_of_an_answer_are_counted(library: Library) -> None:
    await _shelf(library, 40)
    fields = (FacetField.TAG, FacetField.LANGUAGE, FacetField.MEDIA_TYPE)
    answer = await library.searching.search(query(" ".join(THEMES), limit=1, facets=fields))
    counted = {facet.field: dict(facet.counts) for facet in answer.facets}
    assert counted[FacetField.TAG] == {"par": 20, "impar": 20, "raro": 2}
    assert counted[FacetField.LANGUAGE] == {"pt": 26, "en": 14}
    assert counted[FacetField.MEDIA_TYPE] == {"application/pdf": 30, "text/plain": 10}
    some = await library.searching.search(query("obra", limit=1, facets=fields, wanted=is_(Field.TAGS, "par")))
    assert "impar" not in dict(some.facets[0].counts)


async def test_documents_are_counted_for_passages_that_the_filter_means(library: Library) -> None:
    long = "x" * 600  # longer than the index keeps
    for name in "abc":
        two_pages = [replace(text, page=page) for page, text in enumerate(texts("obra", "obra"), ord(name) - ord("a"))]
        library.log.publish(name, two_pages, tags=(name,), metadata={"nota": long + name})
    await library.level()

    async def counts(wanted: Filter) -> dict[str, int]:
        answer = await library.searching.search(query("obra", limit=1, facets=(FacetField.TAG,), wanted=wanted))
        return dict(answer.facets[0].counts)

    assert await counts(is_(Field.METADATA, long + "b", "nota")) == {"b": 1}
    assert await counts(is_(Field.METADATA, long, "nota")) == {}
    assert await counts(is_(Field.PAGE, 2)) == {"b": 1, "c": 1}
    assert await counts(AllOf((is_(Field.PAGE, 2), is_(Field.METADATA, long + "c", "nota")))) == {"c": 1}


async def test_the_next_page_counts_the_same_without_looking_again(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    pool = retrieving.Question.pool

    def noted(question: retrieving.Question, depth: int) -> Scored:
        looked.append(depth)
        return pool(question, depth)

    monkeypatch.setattr(retrieving.Question, "pool", noted)
    await _shelf(library, 40)
    asked = query(" ".join(THEMES), limit=5, facets=(FacetField.TAG,))
    first = await library.searching.search(asked)
    later = await library.searching.search(replace(asked, first=5))
    other = await library.searching.search(replace(asked, facets=(FacetField.TAG, FacetField.LANGUAGE), limit=90))
    assert first.facets == later.facets == other.facets[:1]
    assert dict(other.facets[1].counts) == {"pt": 26, "en": 14}
    assert len(looked) == 1
    library.log.publish("new", texts("obra"), tags=("par",))
    await library.level()
    assert (await library.searching.search(asked)).facets != first.facets
    assert len(looked) == 2


async def test_a_vector_takes_the_place_of_the_embedded_text(library: Library) -> None:
    await _shelf(library, 10)
    vector = EMBEDDER.embed_query("multa prazo contrato") * 3
    by_vector = await library.searching.search(query("", mode=SearchMode.DENSE, vector=vector))
    by_text = await library.searching.search(query("multa prazo contrato", mode=SearchMode.DENSE))
    assert [hit.passage.text for hit in by_vector.hits] == [hit.passage.text for hit in by_text.hits]
    np.testing.assert_allclose([hit.score for hit in by_vector.hits], [hit.score for hit in by_text.hits], rtol=1e-5)


async def test_a_deleted_document_leaves_a_page_as_full_as_it_can_be(library: Library) -> None:
    library.log.publish("gone", texts(*["obra pública"] * 50))
    library.log.publish("stays", [Text("obra pública de todos", EMBEDDER.embed_query("obra"))])
    await library.level()
    with library.log.lock:
        del library.log.current["gone"]
    answer = await library.searching.search(query("obra pública", group_size=1, limit=5))
    assert [hit.passage.document_id for hit in answer.hits] == ["stays"]
