"""A look at a document sees what ingestion would make of it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rag_server.domain.chunking import ChunkLimits
from rag_server.domain.extraction import ExtractionLimits
from rag_server.domain.failure import FailureReason
from rag_server.domain.job import JobState
from rag_server.domain.preview import Preview
from rag_server.use_cases.previewing import Previewing
from rag_server.worker.chunker import Chunker
from tests.fakes.scripted_extractor import ScriptedExtractor
from tests.fakes.word_tokenizer import WordTokenizer


async def preview_of(content: str, folder: Path) -> Preview:
    path = folder / "a.txt"
    path.write_text(content, encoding="utf-8")
    with ThreadPoolExecutor(1) as executor:
        chunker = Chunker(WordTokenizer(), ChunkLimits(max_tokens=16, min_tokens=0), executor)
        return await Previewing(ScriptedExtractor(), ExtractionLimits(), chunker.cut).preview(path)


async def test_pages_and_chunks_are_seen(tmp_path: Path) -> None:
    preview = await preview_of("the quick fox\fon page two", tmp_path)
    assert preview.extraction is not None
    assert preview.document is not None
    assert [page.number for page in preview.extraction.pages] == [1, 2]
    assert (preview.outcome, preview.why) == (JobState.SUCCEEDED, None)
    assert [(chunk.page_first, chunk.page_last) for chunk in preview.chunks] == [(1, 2)]
    for chunk in preview.chunks:
        assert preview.document.text[chunk.char_start : chunk.char_end] == chunk.text


async def test_a_fault_of_the_file_is_told(tmp_path: Path) -> None:
    preview = await preview_of("CORRUPT", tmp_path)
    assert (preview.outcome, preview.extraction, preview.chunks) == (JobState.FAILED, None, ())
    assert preview.why is not None
    assert preview.why.reason is FailureReason.CORRUPT


async def test_a_fault_of_some_pages_is_told_beside_the_others(tmp_path: Path) -> None:
    preview = await preview_of("PARTIAL but some text", tmp_path)
    assert preview.outcome is JobState.SUCCEEDED_PARTIALLY
    assert preview.why is not None
    assert preview.why.reason is FailureReason.TIMEOUT
    assert preview.chunks


async def test_pages_without_words_have_no_text(tmp_path: Path) -> None:
    preview = await preview_of(" \n ", tmp_path)
    assert preview.outcome is JobState.FAILED
    assert preview.why is not None
    assert preview.why.reason is FailureReason.NO_TEXT
