from pathlib import Path

import numpy as np
import pytest

from bench.calibration import Observations, fit
from bench.calibration_samples import Asked, CalibrationLibrary, Sample
from bench.evaluation_data import CorpusDocument, JudgedQuery
from rag_server.adapters.fastembed.embedder import FastembedEmbedder
from rag_server.adapters.fastembed.models import BUNDLED, resolve
from rag_server.domain.search import SearchMode

DOCUMENTS = (
    CorpusDocument("a", "Férias", "O servidor tem trinta dias de férias por ano."),
    CorpusDocument("b", "Licitação", "O pregão eletrônico é a licitação de bens comuns."),
    CorpusDocument("c", "", "O arquivo guarda as cartas do barão."),
)
QUERY = JudgedQuery("q", "quantos dias de férias", {"a": 1.0})


def samples(folder: Path, *, is_own: bool) -> list[Sample]:
    library = CalibrationLibrary(DOCUMENTS, FastembedEmbedder(resolve(BUNDLED, folder), 1), folder)
    try:
        return list(library.samples(QUERY, is_own=is_own))
    finally:
        library.close()


def test_the_fit_finds_the_coefficients_that_made_the_observations() -> None:
    random = np.random.default_rng(7)
    level = random.uniform(0, 2, 40_000)
    features = np.column_stack([np.ones_like(level), level, level**2])
    coefficients = np.array([-4.0, 2.0, 0.5])
    relevant = (random.random(len(level)) < 1 / (1 + np.exp(-features @ coefficients))).astype(np.float64)
    found = fit(Observations(features, relevant, np.ones_like(level), np.ones(len(level), np.bool_)))
    assert found == pytest.approx(coefficients, abs=0.4)


def test_a_query_is_asked_with_and_without_what_answers_it(tmp_path: Path) -> None:
    by_kind = {(sample.asked, sample.mode): sample for sample in samples(tmp_path, is_own=True)}
    assert set(by_kind) == {(asked, mode) for asked in (Asked.OWN, Asked.TAKEN) for mode in SearchMode}
    for mode in SearchMode:
        assert by_kind[Asked.OWN, mode].relevant[0]
        assert not by_kind[Asked.TAKEN, mode].relevant.any()
        assert (np.diff(by_kind[Asked.OWN, mode].scores) <= 0).all()
    assert by_kind[Asked.TAKEN, SearchMode.LEXICAL].best_bm25 < by_kind[Asked.OWN, SearchMode.LEXICAL].best_bm25


def test_a_query_of_another_set_is_asked_once_in_every_mode(tmp_path: Path) -> None:
    asked = [(sample.asked, sample.mode) for sample in samples(tmp_path, is_own=False)]
    assert sorted(asked) == sorted((Asked.OTHER, mode) for mode in SearchMode)
