"""Texts become vectors, in turns."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from rag_server.domain.errors import ModelNotFound, TextTooLong
from rag_server.domain.model import EmbedOrder, ModelUse, ServedModel, TextKind
from rag_server.use_cases import embedding as module
from rag_server.use_cases.embedding import Embedding
from rag_server.use_cases.taking_turns import TakingTurns
from serving.errors import Exhausted, InvalidInput
from tests.fakes.hashing_embedder import HashingEmbedder
from tests.fakes.word_tokenizer import WordTokenizer

DIMENSIONS = 16
MODEL = ServedModel("Org/Model", ModelUse.EMBEDDER, DIMENSIONS, 8, "f")
WINDOWS = {TextKind.PASSAGE: 8, TextKind.QUERY: 5}
DEADLINE_S = 20.0


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


@pytest.fixture
def embedding(executor: ThreadPoolExecutor) -> Embedding:
    return Embedding(MODEL, HashingEmbedder(DIMENSIONS), WordTokenizer(), WINDOWS, TakingTurns(executor))


def order(*texts: str, model: str = "", kind: TextKind = TextKind.PASSAGE, dimensions: int = 0) -> EmbedOrder:
    return EmbedOrder(texts, model, kind, truncate=False, dimensions=dimensions)


async def test_vectors_come_in_the_order_of_the_texts_with_their_tokens(embedding: Embedding) -> None:
    texts = [" ".join(f"w{n}" for n in range(1 + number % 8)) for number in range(300)]
    embedded = await embedding.embed(order(*texts))
    assert np.array_equal(embedded.vectors, HashingEmbedder(DIMENSIONS).embed_passages(texts))
    assert embedded.token_counts.tolist() == [len(text.split()) for text in texts]
    assert not embedded.truncated.any()
    assert embedded.model == "Org/Model"


async def test_a_text_that_is_too_long_is_refused_by_its_place(embedding: Embedding) -> None:
    with pytest.raises(TextTooLong) as refused:
        await embedding.embed(order("fits", "a b c d e f g h i"))
    assert refused.value.field == "texts[1]"
    assert refused.value.metadata == {"max_tokens": "8"}


async def test_a_text_that_is_too_long_is_cut_where_that_was_asked_for(embedding: Embedding) -> None:
    embedded = await embedding.embed(replace(order("fits", "a b c d e f g h i"), truncate=True))
    assert np.array_equal(embedded.vectors[1], HashingEmbedder(DIMENSIONS).embed_query("a b c d e f g h"))
    assert embedded.token_counts.tolist() == [1, 8]
    assert embedded.truncated.tolist() == [False, True]


async def test_a_query_has_a_window_of_its_own(embedding: Embedding) -> None:
    six = "a b c d e f"
    assert (await embedding.embed(order(six))).token_counts.tolist() == [6]
    with pytest.raises(TextTooLong):
        await embedding.embed(order(six, kind=TextKind.QUERY))


async def test_tokens_after_much_white_space_count(embedding: Embedding) -> None:
    far = "a" + " " * 5_000 + "b c d e f g h i"
    with pytest.raises(TextTooLong):
        await embedding.embed(order(far))
    assert (await embedding.embed(order("a" + " " * 5_000 + "b"))).token_counts.tolist() == [2]


async def test_queries_and_passages_are_embedded_each_in_their_way(executor: ThreadPoolExecutor) -> None:
    class Prefixing(HashingEmbedder):
        def embed_query(self, text: str) -> NDArray[np.float32]:
            return super().embed_query(f"query {text}")

        def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
            return np.stack([super(Prefixing, self).embed_query(f"passage {text}") for text in texts])

    embedding = Embedding(MODEL, Prefixing(DIMENSIONS), WordTokenizer(), WINDOWS, TakingTurns(executor))
    plain = HashingEmbedder(DIMENSIONS)
    query = await embedding.embed(order("a", "b", kind=TextKind.QUERY))
    assert np.array_equal(query.vectors[1], plain.embed_query("query b"))
    assert np.array_equal((await embedding.embed(order("b"))).vectors[0], plain.embed_query("passage b"))


async def test_the_model_may_be_named_in_any_case_and_no_other_is_here(embedding: Embedding) -> None:
    assert len((await embedding.embed(order("a", model="org/model"))).vectors) == 1
    with pytest.raises(ModelNotFound):
        await embedding.embed(order("a", model="other"))


@pytest.mark.parametrize("texts", [(), ("a", "")])
async def test_no_text_and_empty_texts_are_refused(embedding: Embedding, texts: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput):
        await embedding.embed(order(*texts))


async def test_more_characters_than_are_taken_are_refused(
    embedding: Embedding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_CHARS", 10)
    await embedding.embed(order("a" * 10))
    with pytest.raises(InvalidInput, match="more than 10 characters"):
        await embedding.embed(order("a" * 5, "b" * 6))


async def test_more_values_than_an_answer_holds_are_refused(
    embedding: Embedding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_VALUES", 3 * DIMENSIONS)
    await embedding.embed(order("a", "b", "c"))
    with pytest.raises(InvalidInput, match="may hold 3 texts"):
        await embedding.embed(order("a", "b", "c", "d"))


async def test_vectors_are_shortened_only_where_the_model_was_trained_for_it(embedding: Embedding) -> None:
    assert (await embedding.embed(order("a", dimensions=DIMENSIONS))).vectors.shape == (1, DIMENSIONS)
    with pytest.raises(InvalidInput, match="has 16 dimensions and cannot be shortened"):
        await embedding.embed(order("a", dimensions=8))
    able = replace(embedding, model=replace(MODEL, min_dimensions=4))
    vectors = (await able.embed(order("a", "b", dimensions=8))).vectors
    assert vectors.shape == (2, 8)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    for refused in (3, 17):
        with pytest.raises(InvalidInput, match="takes 4 to 16 dimensions"):
            await able.embed(order("a", dimensions=refused))


async def test_too_many_batches_are_refused(executor: ThreadPoolExecutor) -> None:
    turns = TakingTurns(executor, most_batches=1)
    embedding = Embedding(MODEL, HashingEmbedder(DIMENSIONS), WordTokenizer(), WINDOWS, turns)
    with turns.batch(), pytest.raises(Exhausted):
        await embedding.embed(order("a"))
    await embedding.embed(order("a"))


async def test_a_search_is_embedded_while_a_batch_is_under_way(executor: ThreadPoolExecutor) -> None:
    class Holding(HashingEmbedder):
        """Keeps the batch in its thread until the search has been answered."""

        def __init__(self) -> None:
            super().__init__(DIMENSIONS)
            self.begun, self.answered = threading.Event(), threading.Event()

        def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
            self.begun.set()
            assert self.answered.wait(DEADLINE_S)
            return super().embed_passages(texts)

    embedder = Holding()
    embedding = Embedding(MODEL, embedder, WordTokenizer(), WINDOWS, TakingTurns(executor))
    batch = asyncio.create_task(embedding.embed(order(*["text"] * 100)))
    assert await asyncio.to_thread(embedder.begun.wait, DEADLINE_S)
    with ThreadPoolExecutor(1) as search_threads:  # as Searching has them
        vector = await asyncio.get_running_loop().run_in_executor(search_threads, embedder.embed_query, "question")
    assert vector.any()
    assert not batch.done()
    embedder.answered.set()
    assert len((await batch).vectors) == 100
