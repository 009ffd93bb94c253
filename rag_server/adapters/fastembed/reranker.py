"""The reranker: a cross-encoder's folder opened with fastembed, never the network."""

import hashlib
import json
import os
from collections.abc import Sequence

import numpy as np
from fastembed.rerank.cross_encoder import TextCrossEncoder
from loguru import logger
from numpy.typing import NDArray

from rag_server.adapters.fastembed.cross_encoders import cross_encoder_files, register_cross_encoder
from rag_server.adapters.fastembed.loading import CONFIGURATION, checked_digest
from rag_server.adapters.fastembed.models import ModelError, ModelFolder
from rag_server.adapters.fastembed.tokenizer import declared_window, use_threads

_BATCH = 16


class FastembedReranker:
    """Implements the port Reranker; safe to call from several threads. Raises ModelError if the model is unusable."""

    def __init__(self, model: ModelFolder, threads: int) -> None:
        os.environ["HF_HUB_OFFLINE"] = "1"  # a second lock: a folder is given, so nothing is looked up anyway
        logger.disable("fastembed")
        use_threads(threads)
        self.name = model.name
        self.fingerprint = _fingerprint_of(model)
        self.max_tokens = declared_window(model.folder)
        self._model = _open(model, register_cross_encoder(model, self.fingerprint), threads)

    def score(self, query: str, texts: Sequence[str]) -> NDArray[np.float32]:
        scores = np.zeros(len(texts), np.float32)
        # Neighbours of one length waste no padding.
        places = sorted(range(len(texts)), key=lambda place: len(texts[place]), reverse=True)
        for start in range(0, len(places), _BATCH):
            batch = places[start : start + _BATCH]
            raw = self._model.rerank(query, [texts[place] for place in batch], batch_size=len(batch))
            scores[batch] = _sigmoid(np.fromiter(raw, np.float64, len(batch)))
        return scores

    def token_count(self, query: str, texts: Sequence[str]) -> int:
        return int(self._model.token_count((query, text) for text in texts))


def _open(model: ModelFolder, name: str, threads: int) -> TextCrossEncoder:
    try:
        opened = TextCrossEncoder(name, threads=threads, specific_model_path=str(model.folder), local_files_only=True)
        list(opened.rerank("a", ["a"]))  # whether it gives one figure a pair shows only now
    except Exception as error:
        # onnxruntime and tokenizers raise kinds of their own; each means that this is no cross-encoder to be used.
        raise ModelError(f"The model in {model.folder} cannot be used as a reranker: {error}") from error
    return opened


def _fingerprint_of(model: ModelFolder) -> str:
    names = [*cross_encoder_files(model), *(name for name in CONFIGURATION if (model.folder / name).is_file())]
    digests = {name: checked_digest(model.folder, name) for name in sorted(names)}
    return hashlib.sha256(json.dumps(["cross-encoder", digests], sort_keys=True).encode()).hexdigest()


def _sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    # Past ±60 the answer is 0 or 1 to the last digit, and exp would overflow.
    bounded: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(logits, -60, 60)))
    return bounded
