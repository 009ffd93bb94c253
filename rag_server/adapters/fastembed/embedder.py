"""The embedder: a model folder opened with fastembed, never the network."""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from fastembed import TextEmbedding
from loguru import logger
from numpy.typing import NDArray

from rag_server.adapters.fastembed.families import family_of
from rag_server.adapters.fastembed.loading import fingerprint_of, is_static, register
from rag_server.adapters.fastembed.models import ModelDamaged, ModelError, ModelFolder, known_model
from rag_server.adapters.fastembed.tokenizer import WindowTokenizer, use_threads
from rag_server.domain.ranking import ModelKind

_STATIC_BATCH = 256
# fastembed's 256 took 2.7 GB with a small transformer and was no faster.
_TRANSFORMER_BATCH = 16
# Attention grows with the square of the length: models with windows of 8,192 tokens get fewer long texts at once.
_TRANSFORMER_BATCH_CHARS = 64_000


class FastembedEmbedder:
    """Implements the port Embedder; safe to call from several threads. Raises ModelError if the model is unusable."""

    def __init__(self, model: ModelFolder, threads: int) -> None:
        os.environ["HF_HUB_OFFLINE"] = "1"  # a second lock: a folder is given, so nothing is looked up anyway
        logger.disable("fastembed")  # it writes to stderr by itself; its errors are raised as well
        use_threads(threads)
        self._family = family_of(model.known_as or model.name)
        self.fingerprint = fingerprint_of(model, self._family)
        self._static = is_static(model)
        self.kind = ModelKind.STATIC if self._static else ModelKind.TRANSFORMER
        self._model = _open(model, register(model, self.fingerprint), None if self._static else threads)
        self.tokenizer = WindowTokenizer(model.folder, self._family.passage_prefix)
        self.max_query_tokens = self.tokenizer.room_after(self._family.query_prefix)
        self.dimensions = self._measured_dimensions(model)
        least = self._family.min_dimensions
        self.min_dimensions = least if least < self.dimensions else 0

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        for batch in self._batches(texts):
            prefixed = [self._family.passage_prefix + texts[index] for index in batch]
            vectors[batch] = _rows(self._model.passage_embed(prefixed, batch_size=len(prefixed)))
        return _unit_length(vectors)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = self.embed_queries([text])[0]
        return vector

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        places = [place for place, text in enumerate(texts) if text.strip()]
        # A transformer reads short texts no faster together, and whoever came first would wait for all.
        step = _STATIC_BATCH if self._static else 1
        for batch in (places[at : at + step] for at in range(0, len(places), step)):
            prefixed = [self._family.query_prefix + texts[place] for place in batch]
            vectors[batch] = _rows(self._model.query_embed(prefixed))
        return _unit_length(vectors)

    def _batches(self, texts: Sequence[str]) -> Iterator[list[int]]:
        """Places in `texts`, blank ones left out: their row stays zero."""
        places = [index for index, text in enumerate(texts) if text.strip()]
        if self._static:
            yield from (places[at : at + _STATIC_BATCH] for at in range(0, len(places), _STATIC_BATCH))
            return
        # Neighbours of one length waste no padding; the longest first, so that onnxruntime's arena grows once.
        places.sort(key=lambda index: len(texts[index]), reverse=True)
        while places:
            size = max(1, min(_TRANSFORMER_BATCH, _TRANSFORMER_BATCH_CHARS // len(texts[places[0]])))
            yield places[:size]
            places = places[size:]

    def _measured_dimensions(self, model: ModelFolder) -> int:
        measured: int = _rows(self._model.passage_embed(["a"])).shape[1]
        declared = known_model(model.known_as).dim if model.known_as else measured
        if measured != declared:
            raise ModelDamaged(f"{model.folder} makes vectors of {measured} dimensions, {model.name} has {declared}.")
        return measured


def _open(model: ModelFolder, name: str, threads: int | None) -> TextEmbedding:
    try:
        return TextEmbedding(name, threads=threads, specific_model_path=str(model.folder), local_files_only=True)
    except Exception as error:
        # onnxruntime and tokenizers raise kinds of their own; each means that this folder cannot be opened.
        raise ModelError(f"The model in {model.folder} cannot be opened: {error}") from error


def _rows(vectors: Iterable[NDArray[Any]]) -> NDArray[np.float32]:
    return np.stack([vector.astype(np.float32, copy=False) for vector in vectors])


def _unit_length(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths: NDArray[np.float32] = np.linalg.norm(vectors, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    unit: NDArray[np.float32] = vectors / lengths
    return unit
