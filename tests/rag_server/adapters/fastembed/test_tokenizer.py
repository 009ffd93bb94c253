import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from rag_server.adapters.fastembed.models import BUNDLED_FOLDER
from rag_server.adapters.fastembed.tokenizer import WindowTokenizer


@pytest.fixture(scope="module")
def tokenizer() -> WindowTokenizer:
    return WindowTokenizer(BUNDLED_FOLDER)


def test_offsets_count_code_points(tokenizer: WindowTokenizer) -> None:
    text = "Não há 😀 ação"
    assert [text[start:end] for start, end in tokenizer.offsets(text)] == ["Não", "há", "😀", "aç", "ão"]


def test_a_long_text_has_the_tokens_of_one_tokenisation(tokenizer: WindowTokenizer) -> None:
    text = "A licitação pública é obrigatória, salvo exceções.\n" * 2_000
    whole = Tokenizer.from_file(str(BUNDLED_FOLDER / "tokenizer.json")).encode(text, add_special_tokens=False)
    assert np.array_equal(tokenizer.offsets(text), np.array(whole.offsets))


def test_a_text_without_spaces_is_tokenised_in_bounded_pieces(tokenizer: WindowTokenizer) -> None:
    offsets = tokenizer.offsets("x" * 50_000)
    assert offsets[0, 0] == 0
    assert offsets[-1, 1] == 50_000


@given(st.text(max_size=300))
def test_offsets_ascend_within_the_text(text: str) -> None:
    offsets = WINDOW.offsets(text)
    assert offsets.shape[1] == 2
    assert offsets.dtype == np.int32
    assert (np.diff(offsets, axis=0) >= 0).all()
    assert ((offsets >= 0) & (offsets <= len(text))).all()


WINDOW = WindowTokenizer(BUNDLED_FOLDER)


def test_an_empty_text_has_no_tokens(tokenizer: WindowTokenizer) -> None:
    assert tokenizer.offsets("").shape == (0, 2)


def test_the_static_window_is_what_fastembed_reads_of_a_text(tokenizer: WindowTokenizer) -> None:
    assert tokenizer.max_tokens == 512


def test_a_transformer_s_window_leaves_room_for_special_tokens_and_the_prefix(tmp_path: Path) -> None:
    specification = json.loads((BUNDLED_FOLDER / "tokenizer.json").read_text("utf-8"))
    pair = {"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}
    specification["post_processor"] = {
        "type": "TemplateProcessing",
        "single": list(pair),
        "pair": [],
        "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [101], "tokens": ["[CLS]"]}},
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(specification), "utf-8")
    (tmp_path / "tokenizer_config.json").write_text('{"model_max_length": 128, "max_length": 100}', "utf-8")
    assert WindowTokenizer(tmp_path).max_tokens == 99
    assert WindowTokenizer(tmp_path, "passage: ").max_tokens == 97
    assert WindowTokenizer(tmp_path, "passage: ").room_after("query: query: ") == 95


def test_a_tokenizer_that_truncates_and_pads_is_read_without_both(tmp_path: Path) -> None:
    shutil.copytree(BUNDLED_FOLDER, tmp_path, dirs_exist_ok=True)
    truncating = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    truncating.enable_truncation(4)
    truncating.enable_padding(length=4)
    truncating.save(str(tmp_path / "tokenizer.json"))
    assert len(WindowTokenizer(tmp_path).offsets("um dois três quatro cinco seis")) > 4
    assert len(WindowTokenizer(tmp_path).offsets("um")) == 1
