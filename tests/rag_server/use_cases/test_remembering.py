"""Which answers are remembered, and for how long."""

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest

from rag_server.domain.explanation import Remembered
from rag_server.domain.filter import Comparison, Condition, Field, Scalar
from rag_server.domain.search import Degradation, Query, SearchMode
from rag_server.use_cases import remembering
from tests.fakes.searched_library import Library
from tests.fakes.serving_views import texts


def query(text: str, **how: object) -> Query:
    return replace(Query(text, "default", 3, explain=True), **how)  # type: ignore[arg-type] # names of Query


async def remembered(library: Library, asked: Query) -> Remembered:
    explanation = (await library.searching.search(asked)).explanation
    assert explanation is not None
    return explanation.remembered


async def _shelf(library: Library) -> None:
    library.log.publish("a", texts(*(f"prazo de recurso número {n}" for n in range(20))))
    await library.level()


async def test_the_same_question_is_remembered_until_something_changes(library: Library) -> None:
    await _shelf(library)
    assert await remembered(library, query("prazo de recurso")) is Remembered.MISS
    assert await remembered(library, query("prazo de recurso")) is Remembered.HIT
    library.log.publish("b", texts("outro prazo de recurso"))
    await library.level()
    assert await remembered(library, query("prazo de recurso")) is Remembered.MISS


async def test_what_is_remembered_keeps_no_state_of_the_indexes_alive(library: Library) -> None:
    await _shelf(library)
    await remembered(library, query("prazo de recurso"))
    assert await remembered(library, query("prazo de recurso")) is Remembered.HIT
    searched = weakref.ref(library.follower.current())
    library.log.publish("b", texts("outro prazo de recurso"))
    await library.level()
    gc.collect()
    assert searched() is None


async def test_the_same_question_in_other_clothes_is_remembered(library: Library) -> None:
    await _shelf(library)
    first = await library.searching.search(query("prazo de recurso"))
    assert await remembered(library, query("  Prazo   de recurso? ")) is Remembered.NEAR_HIT
    again = await library.searching.search(query("  Prazo   de recurso? "))
    assert [hit.passage.chunk_id for hit in again.hits] == [hit.passage.chunk_id for hit in first.hits]


@pytest.mark.parametrize(
    "other",
    [
        query("prazo sem recurso"),
        query("prazo de recurso 2"),
        query("prazo de recurso", mode=SearchMode.LEXICAL),
        query("prazo de recurso", wanted=Condition(Field.LANGUAGE, Comparison.EQUAL, "pt")),
        query("prazo de recurso", min_relevance=0.1),
        query("prazo de recurso", diversity=0.1),
        query("prazo de recurso", collection="another"),
    ],
)
async def test_another_question_is_not_answered_from_memory(library: Library, other: Query) -> None:
    await _shelf(library)
    await remembered(library, query("prazo de recurso"))
    assert await remembered(library, other) is Remembered.MISS


async def test_one_and_true_are_different_filters(library: Library) -> None:
    library.log.publish("a", texts("obra"), metadata={"x": True})
    library.log.publish("b", texts("obra"), metadata={"x": 1})
    await library.level()

    async def found(value: Scalar) -> list[str]:
        wanted = Condition(Field.METADATA, Comparison.EQUAL, value, ("x",))
        answer = await library.searching.search(query("obra", wanted=wanted))
        return [hit.passage.document_id for hit in answer.hits]

    assert await found(True) == ["a"]
    assert await found(1) == ["b"]
    assert await found(1.0) == ["b"]


async def test_a_deleted_document_is_not_shown_from_memory(library: Library) -> None:
    await _shelf(library)
    await library.searching.search(query("prazo de recurso"))
    with library.log.lock:
        library.log.current.clear()  # as if the views had not followed yet
    assert (await library.searching.search(query("prazo de recurso"))).hits == ()


async def test_an_answer_that_lacks_something_is_not_remembered(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _shelf(library)
    with monkeypatch.context() as patched:

        def broken(_: object, text: str) -> np.ndarray:
            raise RuntimeError(text)

        patched.setattr("tests.fakes.hashing_embedder.HashingEmbedder.embed_query", broken)
        answer = await library.searching.search(query("prazo de recurso"))
        assert Degradation.NO_DENSE in answer.degraded
    again = await library.searching.search(query("prazo de recurso"))
    assert again.degraded == ()
    assert again.explanation is not None
    assert again.explanation.remembered is Remembered.MISS


async def test_only_so_many_are_remembered(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembering, "MOST_ORDERS", 2)
    await _shelf(library)
    for text in ("prazo um", "prazo dois", "prazo três"):
        await remembered(library, query(text))
    assert await remembered(library, query("prazo um")) is Remembered.MISS
    assert await remembered(library, query("prazo três")) is Remembered.HIT
