"""Which candidates there are, and with which scores."""

import numpy as np

from rag_server.domain.wording import wording_of
from rag_server.index_ports import IndexState
from rag_server.use_cases.retrieving import Question
from tests.fakes.searched_library import Library
from tests.fakes.serving_views import EMBEDDER, texts


def question(state: IndexState, text: str) -> Question:
    wording = wording_of(text)
    return Question(state, "default", wording, by_words=True, vector=EMBEDDER.embed_query(text), dense_weight=1.0)


async def test_candidates_carry_the_true_scores_of_both_indexes(library: Library) -> None:
    library.log.publish("a", texts(*(f"obra {'pública ' * (n % 5)} número {n}" for n in range(60))))
    await library.level()
    state = library.follower.current()
    asked = question(state, "obra pública número 7")
    everything = asked.candidates(1_000, 1_000)
    assert everything.every
    all_of_them = everything.ranked
    score_of = dict(zip(all_of_them.chunk_ids.tolist(), all_of_them.scores.tolist(), strict=True))
    for wanted in (1, 3, 10, 20):
        candidates = asked.candidates(10, wanted)
        assert not candidates.every
        few = candidates.ranked
        assert min(wanted, 10) <= len(few) <= 20
        np.testing.assert_allclose(few.scores, [score_of[chunk_id] for chunk_id in few.chunk_ids.tolist()], rtol=1e-5)
        np.testing.assert_allclose(few.scores[:1], all_of_them.scores[:1], rtol=1e-5)


async def test_the_best_are_the_same_whether_all_scores_were_needed_or_not(library: Library) -> None:
    words = ("obra", "pública", "licitação", "escola", "prazo", "multa")
    random = np.random.default_rng(5)
    library.log.publish("a", texts(*(" ".join(random.choice(words, 4)) + f" {n}" for n in range(150))))
    await library.level()
    state = library.follower.current()
    for text in ("obra pública", "licitação escola multa", "prazo 17 multa"):
        asked = question(state, text)
        union = asked.candidates(20, 1_000).ranked
        for wanted in (1, 2, 5):
            few = asked.candidates(20, wanted).ranked
            assert len(few) >= wanted
            assert few.chunk_ids.tolist() == union.chunk_ids.tolist()[: len(few)]
