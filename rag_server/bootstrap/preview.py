"""Puts together what a look at one document needs: no store, no views, no embedder."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from rag_server.adapters.fastembed.families import family_of
from rag_server.adapters.fastembed.models import resolve
from rag_server.adapters.fastembed.tokenizer import WindowTokenizer, use_threads
from rag_server.bootstrap.extractor import extraction_limits, running_extractor
from rag_server.domain.chunking import ChunkLimits
from rag_server.settings import Settings
from rag_server.use_cases.previewing import Previewing
from rag_server.worker.chunker import Chunker


@asynccontextmanager
async def previewing(settings: Settings) -> AsyncIterator[Previewing]:
    """The extractor and the chunker as `work` has them.

    Raises what starting the extractor and finding the model raises.
    """
    model = resolve(settings.model, settings.models_folder)
    use_threads(settings.embed_threads)
    tokenizer = WindowTokenizer(model.folder, family_of(model.known_as or model.name).passage_prefix)
    limits = ChunkLimits.within(tokenizer.max_tokens)
    with ThreadPoolExecutor(1, thread_name_prefix="chunk") as executor:
        async with running_extractor(settings) as extractor:
            yield Previewing(extractor, extraction_limits(settings), Chunker(tokenizer, limits, executor).cut)
