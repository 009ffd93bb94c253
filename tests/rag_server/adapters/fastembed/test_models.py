from pathlib import Path

import pytest

from rag_server.adapters.fastembed.models import (
    BUNDLED_FOLDER,
    ModelMissing,
    ModelState,
    ModelUnknown,
    list_models,
    resolve,
)


def test_bundled_is_the_model_that_ships_with_the_project(tmp_path: Path) -> None:
    assert resolve("bundled", tmp_path).folder == BUNDLED_FOLDER


def test_a_path_is_a_model_folder(tmp_path: Path) -> None:
    assert resolve(str(BUNDLED_FOLDER), tmp_path).folder == BUNDLED_FOLDER


def test_a_path_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"no tokenizer\.json"):
        resolve(str(tmp_path), tmp_path)


def test_a_model_that_was_not_pulled_says_how_to_pull_it(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"run `acervo models pull BAAI/bge-small-en-v1\.5`"):
        resolve("baai/BGE-small-en-v1.5", tmp_path)


def test_a_name_that_no_model_has_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ModelUnknown, match=r"BAAI/bge-small-en-v1\.5"):
        resolve("bge-small-en-v1.5", tmp_path)


def test_the_list_begins_with_the_bundled_model(tmp_path: Path) -> None:
    bundled, *others = list_models(tmp_path)
    assert (bundled.name, bundled.state, bundled.dimensions) == ("bundled", ModelState.BUNDLED, 256)
    assert 8_000_000 < bundled.size_bytes < 8_600_000
    assert {entry.state for entry in others} == {ModelState.KNOWN}
