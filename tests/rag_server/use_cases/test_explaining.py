"""What an explained answer says."""

import numpy as np
import pytest

from rag_server.domain.explanation import Stage
from rag_server.domain.search import Query, SearchMode
from tests.fakes.searched_library import Library
from tests.fakes.serving_views import EMBEDDER, texts


@pytest.mark.parametrize("mode", SearchMode)
async def test_the_explained_parts_recompute_every_score_and_so_the_order(library: Library, mode: SearchMode) -> None:
    words = ("obra", "pública", "licitação", "escola", "prazo", "multa")
    random = np.random.default_rng(3)
    library.log.publish("a", texts(*(" ".join(random.choice(words, 4)) + f" {n}" for n in range(150))))
    await library.level()
    for text in ("obra pública", 'licitação "escola multa" prazo', "mult* art. 7 -obra"):
        answer = await library.searching.search(Query(text, "default", 20, mode, highlight=True, explain=True))
        assert answer.explanation is not None
        weights = answer.explanation.weights
        assert answer.hits
        for hit in answer.hits:
            parts = hit.explanation
            assert parts is not None
            assert weights.lexical * parts.bm25 + weights.dense * parts.cosine == pytest.approx(hit.score, rel=1e-5)
            assert sum(term.score for term in parts.terms) == pytest.approx(parts.bm25, rel=1e-5)
            assert parts.lexical_rank >= (1 if mode is SearchMode.LEXICAL else 0)
        assert answer.explanation.models.fingerprint == EMBEDDER.fingerprint
        stages = {one.stage for one in answer.explanation.stages}
        assert {Stage.LOAD, Stage.EXPLAIN} <= stages
        assert (Stage.LEXICAL in stages) == (Stage.HIGHLIGHT in stages) == (mode is not SearchMode.DENSE)
        assert (Stage.EMBED in stages) == (mode is not SearchMode.LEXICAL)
        assert all(one.took_s <= answer.took_s for one in answer.explanation.stages)  # some go on side by side


async def test_nothing_is_explained_unasked(library: Library) -> None:
    library.log.publish("a", texts("obra"))
    await library.level()
    answer = await library.ask("obra")
    assert answer.explanation is None
    assert answer.hits[0].explanation is None
