import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from rag_server.adapters.fastembed.cross_encoders import resolve_reranker
from rag_server.adapters.fastembed.models import ModelDamaged, ModelError
from rag_server.adapters.fastembed.reranker import FastembedReranker
from tests.rag_server.adapters.fastembed.cross_encoder import MAX_TOKENS, OFFSET, SPECIAL_TOKENS, make_cross_encoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_cross_encoder(tmp_path_factory.mktemp("models") / "counting")


@pytest.fixture(scope="module")
def reranker(folder: Path) -> FastembedReranker:
    return FastembedReranker(resolve_reranker(str(folder), folder), threads=1)


def expected(words: int) -> float:
    """The model's score of so many words of query and text together."""
    return 1 / (1 + math.exp(OFFSET - min(words + SPECIAL_TOKENS, MAX_TOKENS)))


def test_scores_are_the_model_s_logits_brought_between_0_and_1(reranker: FastembedReranker) -> None:
    scores = reranker.score("lei", ["a", "a a a a", "a a a a a a a a a a a a a a"])
    assert scores.dtype == np.float32
    assert np.allclose(scores, [expected(2), expected(5), expected(99)])


def test_a_text_has_the_same_score_in_any_company(reranker: FastembedReranker) -> None:
    texts = ["a " * (1 + number % 9) for number in range(50)]
    alone = [reranker.score("lei", [text])[0] for text in texts]
    assert np.allclose(reranker.score("lei", texts), alone)


def test_tokens_are_counted_as_the_model_reads_them(reranker: FastembedReranker) -> None:
    assert reranker.max_tokens == MAX_TOKENS
    assert reranker.token_count("lei", ["a", "a " * 100]) == (2 + SPECIAL_TOKENS) + MAX_TOKENS


def test_nothing_is_scored_as_nothing(reranker: FastembedReranker) -> None:
    assert reranker.score("lei", []).shape == (0,)


def test_several_threads_may_score_at_once(reranker: FastembedReranker) -> None:
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: reranker.score("lei", ["a", "a a a"]), range(12)))
    assert all(np.allclose(result, results[0]) for result in results)


def test_the_fingerprint_changes_with_the_files(reranker: FastembedReranker, tmp_path: Path) -> None:
    same = make_cross_encoder(tmp_path / "same")
    assert FastembedReranker(resolve_reranker(str(same), tmp_path), threads=1).fingerprint == reranker.fingerprint
    (same / "tokenizer_config.json").write_text('{"model_max_length": 9, "pad_token": "[PAD]"}')
    other = FastembedReranker(resolve_reranker(str(same), tmp_path), threads=1)
    assert (other.max_tokens, other.fingerprint != reranker.fingerprint) == (9, True)


def test_a_model_of_another_kind_is_refused_when_it_is_opened(tmp_path: Path) -> None:
    folder = make_cross_encoder(tmp_path / "wide", outputs=2)
    with pytest.raises(ModelError, match="cannot be used as a reranker"):
        FastembedReranker(resolve_reranker(str(folder), tmp_path), threads=1)


def test_a_folder_without_an_onnx_model_is_refused(tmp_path: Path) -> None:
    folder = make_cross_encoder(tmp_path / "empty")
    (folder / "onnx" / "model.onnx").unlink()
    with pytest.raises(ModelDamaged, match="holds no ONNX model"):
        FastembedReranker(resolve_reranker(str(folder), tmp_path), threads=1)
