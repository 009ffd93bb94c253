"""What holds for the committed model whether or not its teacher is here."""

import hashlib
import json
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from distill.making import TEACHER_SHA256
from distill.safetensors_file import read_tensors
from distill.stop_words import stop_words
from rag_server.adapters.fastembed.embedder import FastembedEmbedder
from rag_server.adapters.fastembed.models import BUNDLED_FOLDER, resolve


def test_the_manifest_lists_each_file_as_it_is() -> None:
    manifest = json.loads((BUNDLED_FOLDER / "MANIFEST.json").read_text("utf-8"))
    found = {
        path.name: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "size_bytes": path.stat().st_size}
        for path in BUNDLED_FOLDER.iterdir()
        if path.name != "MANIFEST.json"
    }
    assert manifest["files"] == found
    assert manifest["made_from"]["sha256"] == TEACHER_SHA256


def test_the_model_is_small() -> None:
    assert sum(path.stat().st_size for path in BUNDLED_FOLDER.iterdir()) < 8_600_000


def test_there_is_a_row_and_a_weight_for_each_piece_of_the_vocabulary() -> None:
    tensors = read_tensors(BUNDLED_FOLDER / "model.safetensors")
    pieces = Tokenizer.from_file(str(BUNDLED_FOLDER / "tokenizer.json")).get_vocab_size()
    assert tensors["embeddings"].shape == (pieces, 256)
    assert tensors["embeddings"].dtype == np.int8
    assert tensors["weights"].shape == (pieces,)
    assert tensors["weights"].dtype == np.float32
    assert (tensors["weights"] >= 0).all()


def test_portuguese_function_words_are_whole_tokens_and_light() -> None:
    tokenizer = Tokenizer.from_file(str(BUNDLED_FOLDER / "tokenizer.json"))
    tensors = read_tensors(BUNDLED_FOLDER / "model.safetensors")
    lengths = np.linalg.norm(tensors["embeddings"] * tensors["weights"][:, None], axis=1)
    encoded = [tokenizer.encode(word).ids for word in stop_words()]
    assert all(len(ids) == 1 for ids in encoded)
    assert max(lengths[ids[0]] for ids in encoded) < 0.06 * np.median(lengths)


def test_related_words_are_nearer_than_unrelated_ones(tmp_path: Path) -> None:
    embedder = FastembedEmbedder(resolve("bundled", tmp_path), threads=1)
    triples = [
        ("the doctor treated the patient", "a physician in the hospital", "the price of wheat"),
        ("stock market prices fell", "investors lost money", "the cat sleeps"),
        ("contrato de licitação pública", "edital do pregão e contratos públicos", "receita de bolo de cenoura"),
        ("vacinação infantil", "vacinas para crianças", "manutenção de estradas"),
    ]
    for anchor, near, far in triples:
        vectors = embedder.embed_passages([anchor, near, far])
        assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.1
