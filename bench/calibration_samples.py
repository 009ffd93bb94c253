"""What queries find in a retrieval set, with what is known of each hit: what relevance is fitted to."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.evaluation_data import CorpusDocument, JudgedQuery
from rag_server.adapters.faiss.view import FaissView
from rag_server.adapters.fastembed.embedder import FastembedEmbedder
from rag_server.adapters.tantivy.view import TantivyView
from rag_server.domain.chunking import ChunkLimits, split
from rag_server.domain.document import DocumentChunks, IndexedChunk
from rag_server.domain.extraction import DocumentText, Heading
from rag_server.domain.filter import Attributes
from rag_server.domain.ranking import DENSE_WEIGHTS, Scored, fuse, weigh
from rag_server.domain.search import SearchMode
from rag_server.domain.wording import wording_of

COLLECTION = "calibration"
DEPTH = 100
TOP = 20


class Asked(StrEnum):
    """Whether the collection can answer a query."""

    OWN = "own"  # it can
    TAKEN = "taken"  # it could, but what answers it has been taken out: the rest is about the same things
    OTHER = "other"  # the query belongs to another set


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """The best hits of one query in one mode."""

    asked: Asked
    mode: SearchMode
    scores: NDArray[np.float64]  # (n,), descending
    relevant: NDArray[np.bool_]  # (n,)
    best_bm25: float
    full_bm25: float


class CalibrationLibrary:
    """The passages of a set in the engines that the server searches with, and no server."""

    def __init__(self, documents: Sequence[CorpusDocument], embedder: FastembedEmbedder, scratch: Path) -> None:
        self._embedder = embedder
        self._keys: list[str] = []  # by chunk id
        chunks = [self._chunks_of(document, version_id) for version_id, document in enumerate(documents, 1)]
        vectors = FaissView(embedder.dimensions)
        vectors.apply(chunks)
        self._vectors = vectors.state()
        self._words_view = TantivyView(scratch)
        self._words_view.clear()
        self._words_view.apply(chunks)
        self._words = self._words_view.state()

    def close(self) -> None:
        """Let go of files."""
        self._words_view.close()

    def samples(self, query: JudgedQuery, *, is_own: bool) -> Iterator[Sample]:
        """In every mode; a query of this set also without what answers it."""
        wording = wording_of(unicodedata.normalize("NFC", query.text))
        vector = self._embedder.embed_query(wording.meaning)
        lexical = self._words.search(COLLECTION, wording, DEPTH)
        dense = self._vectors.search(COLLECTION, vector[None], DEPTH)[0]
        chunk_ids = np.union1d(lexical.chunk_ids, dense.chunk_ids)
        bm25 = self._words.scores_of(wording, chunk_ids)
        cosine = self._vectors.scores_of(COLLECTION, vector, chunk_ids)
        full = self._words.full_score(wording)
        gold = self._relevant(chunk_ids, query)
        every = np.ones(len(chunk_ids), np.bool_)
        for asked, kept in ((Asked.OWN, every), (Asked.TAKEN, ~gold)) if is_own else ((Asked.OTHER, every),):
            best = float(bm25[kept].max(initial=0.0))
            weights = weigh(best, full, DENSE_WEIGHTS[self._embedder.kind])
            ranked = fuse(chunk_ids[kept], bm25[kept], cosine[kept], weights)
            by_mode = {
                SearchMode.HYBRID: ranked,
                SearchMode.LEXICAL: _among(lexical, chunk_ids[kept]),
                SearchMode.DENSE: _among(dense, chunk_ids[kept]),
            }
            for mode, found in by_mode.items():
                first = found.first(TOP)
                yield Sample(asked, mode, first.scores, self._relevant(first.chunk_ids, query), best, full)

    def _relevant(self, chunk_ids: Iterable[int], query: JudgedQuery) -> NDArray[np.bool_]:
        return np.array([self._keys[chunk_id] in query.relevance for chunk_id in chunk_ids], np.bool_)

    def _chunks_of(self, document: CorpusDocument, version_id: int) -> DocumentChunks:
        text = _text_of(document)
        tokenizer = self._embedder.tokenizer
        chunks = split(text, tokenizer.offsets(text.text), ChunkLimits.within(tokenizer.max_tokens))
        vectors = self._embedder.embed_passages([chunk.embedded_text for chunk in chunks])
        first_id = len(self._keys)
        self._keys += [document.key] * len(chunks)
        indexed = [
            IndexedChunk(
                chunk_id, COLLECTION, document.key, version_id, chunk.text, chunk.headings, document.title, vector
            )
            for chunk_id, (chunk, vector) in enumerate(zip(chunks, vectors, strict=True), first_id)
        ]
        return DocumentChunks(COLLECTION, document.key, indexed, _attributes_of(document, version_id))


def _attributes_of(document: CorpusDocument, version_id: int) -> Attributes:
    return Attributes(
        version_id=version_id,
        collection=COLLECTION,
        document_id=document.key,
        document_key=document.key,
        file_name="",
        media_type="text/plain",
        language="",
        tags=(),
        create_time=0.0,
        update_time=0.0,
        created=None,
        modified=None,
        metadata={},
    )


def _text_of(document: CorpusDocument) -> DocumentText:
    title = unicodedata.normalize("NFC", document.title.strip())
    text = unicodedata.normalize("NFC", f"{title}\n\n{document.text}".strip())
    return DocumentText(text, (0,), (1,), (Heading(1, title, 0),) if title else ())


def _among(found: Scored, chunk_ids: NDArray[np.int64]) -> Scored:
    kept = np.isin(found.chunk_ids, chunk_ids)
    return Scored(found.chunk_ids[kept], found.scores[kept])
