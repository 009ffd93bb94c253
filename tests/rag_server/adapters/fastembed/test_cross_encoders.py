from pathlib import Path

import pytest

from rag_server.adapters.fastembed.cross_encoders import known_cross_encoder, resolve_reranker
from rag_server.adapters.fastembed.models import ModelMissing, ModelUnknown


def test_a_cross_encoder_is_known_by_its_name_in_any_case() -> None:
    known = known_cross_encoder("xenova/MS-marco-minilm-l-6-v2")
    assert known is not None
    assert known.model == "Xenova/ms-marco-MiniLM-L-6-v2"
    assert known_cross_encoder("BAAI/bge-small-en-v1.5") is None


def test_one_that_was_not_pulled_says_how_to_pull_it(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="run `acervo models pull BAAI/bge-reranker-base`"):
        resolve_reranker("baai/bge-reranker-base", tmp_path)


def test_a_name_that_no_cross_encoder_has_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ModelUnknown, match="BAAI/bge-reranker-v2-m3"):
        resolve_reranker("bge-reranker-v2", tmp_path)


def test_a_path_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"no tokenizer\.json"):
        resolve_reranker(str(tmp_path), tmp_path)
