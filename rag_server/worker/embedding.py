"""Embedding what is new: vectors that the store has are taken over, the rest is computed in low-priority threads."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag_server.domain.chunk import Chunk
from rag_server.domain.document import StagedChunk
from rag_server.domain.job import Claim
from rag_server.model_ports import Embedder
from rag_server.staging_ports import Staging

GROUP_TARGET_S = 1.0  # so often is progress shown, and so much work is lost at the most when the process dies
GROUP_MIN = 16
GROUP_MAX = 512
LOOK_AHEAD = 1_000

Vectors = dict[bytes, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Embedding:
    """Gives chunks their vectors. `executor` has one thread, at low priority."""

    embedder: Embedder
    staging: Staging
    executor: Executor
    look_from: int = 1  # so many chunks are worth a look into the store; fewer are embedded sooner than looked up

    async def embed(self, claim: Claim, chunks: Sequence[Chunk]) -> AsyncIterator[tuple[list[StagedChunk], int]]:
        """Groups of chunks with vectors, in order, each with the count of chunks done; computes one group ahead."""
        known: Vectors = {}
        for start in range(0, len(chunks), LOOK_AHEAD):
            part = chunks[start : start + LOOK_AHEAD]
            hashes = {chunk.content_hash for chunk in part} - known.keys()
            if len(part) >= self.look_from:
                known |= await self.staging.known_vectors(claim, sorted(hashes))
            async for staged in self._groups(part, known):
                start += len(staged)  # noqa: PLW2901 - the count of what is done
                yield staged, start

    async def _groups(self, chunks: Sequence[Chunk], known: Vectors) -> AsyncIterator[list[StagedChunk]]:
        loop = asyncio.get_running_loop()
        size = GROUP_MIN
        position = 0
        ahead: asyncio.Future[tuple[list[StagedChunk], float]] | None = None
        while position < len(chunks) or ahead is not None:
            done = ahead
            group = chunks[position : position + size]
            position += len(group)
            ahead = loop.run_in_executor(self.executor, self._embed_group, group, known) if group else None
            if done is not None:
                staged, new_per_s = await done
                size = int(min(GROUP_MAX, max(GROUP_MIN, new_per_s * GROUP_TARGET_S)))
                yield staged

    def _embed_group(self, group: Sequence[Chunk], known: Vectors) -> tuple[list[StagedChunk], float]:
        """The group with vectors, and how many chunks a second this went. Adds to `known` what it computes."""
        begin = time.perf_counter()
        new = {chunk.content_hash: chunk.embedded_text for chunk in group if chunk.content_hash not in known}
        if new:
            known.update(zip(new, self.embedder.embed_passages(list(new.values())), strict=True))
        staged = [StagedChunk(chunk, known[chunk.content_hash]) for chunk in group]
        return staged, len(group) / max(time.perf_counter() - begin, 1e-6)
