import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from rag_server.adapters.fastembed.embedder import FastembedEmbedder
from rag_server.adapters.fastembed.models import BUNDLED_FOLDER, ModelDamaged, ModelError, ModelFolder, resolve

ROOT = Path(__file__).parents[4]
TEXTS = ["A licitação pública é obrigatória.", "Cats sleep most of the day.", "Um contrato tem partes."]


@pytest.fixture(scope="module")
def bundled() -> FastembedEmbedder:
    return FastembedEmbedder(resolve("bundled", ROOT), threads=2)


@pytest.fixture(scope="module")
def transformer() -> FastembedEmbedder:
    data = os.environ.get("ACERVO_TEST_DATA")
    if not data:
        pytest.skip("ACERVO_TEST_DATA names no folder with a transformer model")
    return FastembedEmbedder(resolve(f"{data}/models/all-MiniLM-L6-v2-onnx", ROOT), threads=2)


@pytest.fixture(params=["bundled", "transformer"])
def embedder(request: pytest.FixtureRequest) -> FastembedEmbedder:
    opened: FastembedEmbedder = request.getfixturevalue(request.param)
    return opened


def test_vectors_have_unit_length_and_the_declared_dimensions(embedder: FastembedEmbedder) -> None:
    vectors = embedder.embed_passages(TEXTS)
    assert vectors.shape == (3, embedder.dimensions)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert embedder.embed_query("gatos").shape == (embedder.dimensions,)


def test_a_text_has_the_same_vector_in_any_company(embedder: FastembedEmbedder) -> None:
    many = [f"{text} " * (1 + index % 7) for index, text in enumerate(TEXTS * 8)]
    alone = np.concatenate([embedder.embed_passages([text]) for text in many])
    assert np.allclose(embedder.embed_passages(many), alone, atol=1e-5)


def test_blank_texts_have_zero_vectors(embedder: FastembedEmbedder) -> None:
    vectors = embedder.embed_passages(["", TEXTS[0], " \n"])
    assert list(np.linalg.norm(vectors, axis=1).round(5)) == [0, 1, 0]
    assert not embedder.embed_query("").any()
    assert embedder.embed_passages([]).shape == (0, embedder.dimensions)


def test_a_query_is_nearest_to_the_passage_on_its_subject(embedder: FastembedEmbedder) -> None:
    scores = embedder.embed_passages(TEXTS) @ embedder.embed_query("how long does a cat sleep?")
    assert int(scores.argmax()) == 1


def test_several_threads_may_embed_at_once(embedder: FastembedEmbedder) -> None:
    expected = embedder.embed_passages(TEXTS)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: embedder.embed_passages(TEXTS), range(12)))
    assert all(np.allclose(result, expected, atol=1e-5) for result in results)


def test_a_text_of_unknown_tokens_has_a_zero_vector(bundled: FastembedEmbedder) -> None:
    assert not bundled.embed_query("😀").any()


def test_the_fingerprint_changes_with_a_byte_of_the_model(bundled: FastembedEmbedder, tmp_path: Path) -> None:
    copy = shutil.copytree(BUNDLED_FOLDER, tmp_path / "copy")
    assert FastembedEmbedder(ModelFolder("copy", copy, None), threads=2).fingerprint == bundled.fingerprint
    with (copy / "model.safetensors").open("r+b") as weights:
        weights.seek(-1, os.SEEK_END)
        weights.write(b"\x3d")
    (copy / "MANIFEST.json").unlink()
    assert FastembedEmbedder(ModelFolder("copy", copy, None), threads=2).fingerprint != bundled.fingerprint


def test_the_fingerprint_changes_with_the_prefixes(bundled: FastembedEmbedder, tmp_path: Path) -> None:
    copy = shutil.copytree(BUNDLED_FOLDER, tmp_path / "e5-copy")
    prefixed = FastembedEmbedder(ModelFolder("e5-copy", copy, None), threads=2)
    assert prefixed.fingerprint != bundled.fingerprint
    assert np.allclose(prefixed.embed_passages(["gato"]), bundled.embed_passages(["passage: gato"]), atol=1e-6)
    assert np.allclose(prefixed.embed_query("gato"), bundled.embed_query("query: gato"), atol=1e-6)


def test_how_far_vectors_may_be_shortened_and_what_a_query_may_hold_follow_from_the_family(tmp_path: Path) -> None:
    copy = shutil.copytree(BUNDLED_FOLDER, tmp_path / "embeddinggemma-copy")
    gemma = FastembedEmbedder(ModelFolder("embeddinggemma-copy", copy, None), threads=2)
    assert (gemma.dimensions, gemma.min_dimensions) == (256, 128)
    assert gemma.max_query_tokens < 512


def test_an_altered_file_is_refused(tmp_path: Path) -> None:
    copy = shutil.copytree(BUNDLED_FOLDER, tmp_path / "copy")
    (copy / "tokenizer_config.json").write_text("{}")
    with pytest.raises(ModelDamaged, match="is not the file that was fetched"):
        FastembedEmbedder(ModelFolder("copy", copy, None), threads=2)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    copy = shutil.copytree(BUNDLED_FOLDER, tmp_path / "copy")
    (copy / "model.safetensors").unlink()
    with pytest.raises(ModelDamaged, match="neither an ONNX model nor a static one"):
        FastembedEmbedder(ModelFolder("copy", copy, None), threads=2)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    shutil.copyfile(BUNDLED_FOLDER / "tokenizer.json", tmp_path / "tokenizer.json")
    (tmp_path / "model.safetensors").write_bytes(bytes(8) + b"no tensors")
    with pytest.raises(ModelError, match="cannot be opened"):
        FastembedEmbedder(ModelFolder("broken", tmp_path, None), threads=2)


def test_opening_and_embedding_write_nothing_and_open_no_socket() -> None:
    program = """
import socket
def refuse(*_, **__): raise AssertionError("a socket was opened")
socket.socket.connect = socket.getaddrinfo = refuse
from pathlib import Path
from rag_server.adapters.fastembed.embedder import FastembedEmbedder
from rag_server.adapters.fastembed.models import resolve
FastembedEmbedder(resolve("bundled", Path()), threads=1).embed_passages(["uma frase"])
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_one_and_two_threads_give_the_same_vectors(bundled: FastembedEmbedder) -> None:
    one = FastembedEmbedder(resolve("bundled", ROOT), threads=1)
    assert np.allclose(one.embed_passages(TEXTS), bundled.embed_passages(TEXTS), atol=1e-6)
