"""Cutting in the embedding thread: tokenisation is as much work as a small model's embedding."""

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass

from rag_server.domain.chunk import Chunk
from rag_server.domain.chunking import ChunkLimits, split
from rag_server.domain.extraction import DocumentText
from rag_server.model_ports import Tokenizer


@dataclass(frozen=True, slots=True)
class Chunker:
    """Cuts a document along the tokens of the embedder's own tokenizer."""

    tokenizer: Tokenizer
    limits: ChunkLimits
    executor: Executor

    async def cut(self, document: DocumentText) -> list[Chunk]:
        """The chunks, in order; none where the text has no words."""
        return await asyncio.get_running_loop().run_in_executor(self.executor, self.cut_here, document)

    def cut_here(self, document: DocumentText) -> list[Chunk]:
        """The same in the caller's thread."""
        return list(split(document, self.tokenizer.offsets(document.text), self.limits))
