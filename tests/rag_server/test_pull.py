import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rag_server.adapters.fastembed.cross_encoders import resolve_reranker
from rag_server.adapters.fastembed.embedder import FastembedEmbedder
from rag_server.adapters.fastembed.models import BUNDLED_FOLDER, resolve
from rag_server.adapters.fastembed.reranker import FastembedReranker
from tests.fakes.model_hub import Mood, model_hub
from tests.rag_server.adapters.fastembed.cross_encoder import make_cross_encoder

# A static model of 256 dimensions, as the bundled one is: its files can stand in for it.
NAME = "minishlab/potion-base-8M"
ROOT = Path(__file__).parents[2]


def pull(*arguments: str, hub: str = "http://127.0.0.1:1") -> "subprocess.CompletedProcess[str]":
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    return subprocess.run(
        [sys.executable, "-m", "rag_server.pull", *arguments],
        cwd=ROOT,
        env=environment | {"HF_ENDPOINT": hub},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_pulled_model_is_found_by_its_name_and_embeds(tmp_path: Path) -> None:
    with model_hub(NAME, BUNDLED_FOLDER) as hub:
        done = pull(NAME.lower(), "--into", str(tmp_path), hub=hub)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{NAME} is ready" in done.stdout
    embedder = FastembedEmbedder(resolve(NAME, tmp_path), threads=1)
    assert embedder.embed_passages(["uma frase"]).shape == (1, 256)
    assert [path.name for path in tmp_path.iterdir()] == ["minishlab__potion-base-8M"]


def test_a_model_that_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    with model_hub(NAME, BUNDLED_FOLDER) as hub:
        assert pull(NAME, "--into", str(tmp_path), hub=hub).returncode == 0
    done = pull(NAME, "--into", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert "on this machine already" in done.stdout


def test_a_damaged_model_is_fetched_again(tmp_path: Path) -> None:
    with model_hub(NAME, BUNDLED_FOLDER) as hub:
        pull(NAME, "--into", str(tmp_path), hub=hub)
        (tmp_path / "minishlab__potion-base-8M" / "tokenizer.json").write_text("{}")
        assert "is ready" in pull(NAME, "--into", str(tmp_path), hub=hub).stdout
    assert FastembedEmbedder(resolve(NAME, tmp_path), threads=1).dimensions == 256


def test_without_a_network_it_fails_with_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    done = pull(NAME, "--into", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith(f"{NAME} could not be fetched (")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mood", [Mood.SILENT, Mood.SILENT_AT_TREE])
def test_a_hub_that_never_answers_is_given_up(tmp_path: Path, mood: Mood) -> None:
    with model_hub(NAME, BUNDLED_FOLDER, mood) as hub:
        done = pull(NAME, "--into", str(tmp_path), "--timeout-s", "3", hub=hub)
    assert done.returncode == 1
    assert "nothing more came in time" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_is_not_what_its_name_says_is_not_taken(tmp_path: Path) -> None:
    with model_hub("minishlab/potion-retrieval-32M", BUNDLED_FOLDER) as hub:
        done = pull("minishlab/potion-retrieval-32M", "--into", str(tmp_path), hub=hub)
    assert done.returncode == 1
    assert "makes vectors of 256 dimensions" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_reranker_is_pulled_by_its_name_too(tmp_path: Path) -> None:
    name = "Xenova/ms-marco-MiniLM-L-6-v2"
    with model_hub(name, make_cross_encoder(tmp_path / "hub")) as hub:
        done = pull(name, "--into", str(tmp_path / "models"), hub=hub)
    assert (done.returncode, done.stderr) == (0, "")
    reranker = FastembedReranker(resolve_reranker(name, tmp_path / "models"), threads=1)
    assert (reranker.name, reranker.score("lei", ["a", "b"]).shape) == (name, (2,))


def test_an_unknown_name_is_answered_with_the_nearest(tmp_path: Path) -> None:
    done = pull("baai/bge-small-en-v1", "--into", str(tmp_path))
    assert done.returncode == 1
    assert "BAAI/bge-small-en-v1.5" in done.stderr


def test_the_list_says_what_is_here_and_what_could_be(tmp_path: Path) -> None:
    with model_hub(NAME, BUNDLED_FOLDER) as hub:
        pull(NAME, "--into", str(tmp_path), hub=hub)
    entries = json.loads(pull("--list", "--json", "--into", str(tmp_path)).stdout)
    states = {entry["name"]: entry["state"] for entry in entries}
    assert (states["bundled"], states[NAME], states["BAAI/bge-small-en-v1.5"]) == ("bundled", "pulled", "known")
    assert entries[0]["dimensions"] == 256
    assert f"pulled   {NAME}" in pull("--list", "--into", str(tmp_path)).stdout
