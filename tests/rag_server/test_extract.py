"""The extractor over real documents: the samples, and the corpora where ACERVO_TEST_DATA has them."""

import asyncio
import json
import os
import re
import subprocess
import sys
import unicodedata
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from rag_server.adapters.extractor_process.process import ExtractorProcess
from rag_server.domain.extraction import Extraction, ExtractionLimits, SourceHints
from rag_server.domain.failure import Failure, FailureReason, IngestionFailed

ROOT = Path(__file__).parents[2]
SAMPLES = sorted((ROOT / "samples").iterdir())
CORPUS = Path(os.environ.get("ACERVO_TEST_DATA", "/nonexistent")) / "data" / "docs"
HAS_CORPUS = CORPUS.is_dir()
NO_CORPUS = "ACERVO_TEST_DATA does not hold the corpora"
WORD = re.compile(r"\w+")
# The expected texts are other programs' Markdown: addresses of links and marks for pictures are no words of it.
NO_WORDS = re.compile(r"\]\(\S*(?:\s+\"[^\"]*\")?\)|<!--.*?-->|https?://\S+")
# Its expected text repeats cells that span columns; here they stand once.
LEAST_COVERAGE = {"docling__powerpoint_sample.pptx": 0.86}
NOT_FOR_THE_EXTRACTOR = (
    "grpc",
    "apsw",
    "storage",
    "faiss",
    "tantivy",
    "fastembed",
    "onnxruntime",
    "tokenizers",
    "acervo",
)

# What each kind of hostile file may come to; "OK" stands for success, whole or partial.
FITTING: dict[str, set[str]] = {
    "encrypted": {"ENCRYPTED"},
    "corrupt": {"CORRUPT", "OK"},
    "hostile": {"CORRUPT", "LIMIT_EXCEEDED", "UNSUPPORTED", "TIMEOUT", "OK"},
    "damaged-recoverable": {"OK"},
    "unsupported": {"UNSUPPORTED", "OK"},  # RTF is among them, and is read by now
    "empty": {"NO_TEXT", "CORRUPT"},
    "mismatch": {"OK", "UNSUPPORTED"},
    "hostile-name": {"OK"},
}


@pytest.fixture
async def extractor() -> AsyncIterator[ExtractorProcess]:
    process = ExtractorProcess()
    yield process
    await process.close()


async def outcome_of(extractor: ExtractorProcess, path: Path) -> Extraction | Failure:
    async with asyncio.timeout(60):
        try:
            return await extractor.extract(path, SourceHints(path.name), ExtractionLimits(), lambda *_: None)
        except IngestionFailed as failed:
            return failed.failure


def manifest(corpus: str) -> list[dict[str, str]]:
    lines = (CORPUS / corpus / "MANIFEST.jsonl").read_text(encoding="utf-8").splitlines() if HAS_CORPUS else []
    return [json.loads(line) for line in lines]


def words(text: str) -> Counter[str]:
    return Counter(WORD.findall(unicodedata.normalize("NFC", text).lower()))


def test_the_extractor_and_its_readers_load_nothing_worth_stealing() -> None:
    program = (
        "import sys, rag_server.extract\n"
        "from rag_server.adapters.parsing import readers\n"
        "for kind in readers._READERS: readers.reader_for(kind)\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert not set(NOT_FOR_THE_EXTRACTOR) & set(done.stdout.split())


def test_the_extractor_refuses_to_outlive_a_parent_that_is_gone() -> None:
    command = [sys.executable, "-m", "rag_server.extract", "--parent-pid=1", f"--memory-bytes={1 << 30}"]
    assert subprocess.run(command, cwd=ROOT, check=False, timeout=30).returncode == 1


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
async def test_the_samples_are_read_whole(extractor: ExtractorProcess, path: Path) -> None:
    extraction = await outcome_of(extractor, path)
    assert isinstance(extraction, Extraction)
    assert extraction.problem is None
    assert sum(len(page.text) for page in extraction.pages) > 1_000


async def test_the_sample_regulation_has_pages_headings_and_no_running_heads(extractor: ExtractorProcess) -> None:
    extraction = await outcome_of(extractor, ROOT / "samples" / "regulamento-do-arquivo.pdf")
    assert isinstance(extraction, Extraction)
    assert len(extraction.pages) >= 4
    headings = [heading.text for page in extraction.pages for heading in page.headings]
    assert "CAPÍTULO III — DA ELIMINAÇÃO" in headings
    assert not any("Prefeitura de Vila Serena — Arquivo Municipal" in page.text for page in extraction.pages)


@pytest.mark.skipif(not HAS_CORPUS, reason=NO_CORPUS)
async def test_good_files_are_read_and_their_words_are_there(extractor: ExtractorProcess) -> None:
    coverage: dict[str, float] = {}
    unread = []
    for entry in manifest("good"):
        path = CORPUS / entry["file"]
        extraction = await outcome_of(extractor, path)
        if isinstance(extraction, Failure) or extraction.problem is not None:
            unread.append((path.name, extraction))
        elif "expected" in entry:
            told = (CORPUS / entry["expected"]).read_text(encoding="utf-8")
            expected = words(NO_WORDS.sub(" ", told))
            found = words(" ".join(page.text for page in extraction.pages))
            coverage[path.name] = 1 - (expected - found).total() / expected.total()
    assert [(name, failure.reason) for name, failure in unread if isinstance(failure, Failure)] == [
        ("markitdown__MEDRPT-2024-PAT-3847_medical_report_scan.pdf", FailureReason.NO_TEXT)
    ]
    assert len(unread) == 1
    assert sorted(coverage.values())[len(coverage) // 2] >= 0.98
    assert {name: share for name, share in coverage.items() if share < LEAST_COVERAGE.get(name, 0.9)} == {}


@pytest.mark.skipif(not HAS_CORPUS, reason=NO_CORPUS)
async def test_hostile_files_end_fittingly_and_harm_nobody(extractor: ExtractorProcess) -> None:
    unfitting, peak_bytes = [], 0
    for entry in manifest("bad"):
        path = CORPUS / entry["file"]
        outcome = await outcome_of(extractor, path)
        name = "OK" if isinstance(outcome, Extraction) else outcome.reason.value
        if name not in FITTING[entry["kind"]]:
            unfitting.append((path.name, entry["kind"], name))
        if isinstance(outcome, Extraction):
            text = " ".join(page.text for page in outcome.pages)
            assert "root:x:0:0" not in text
            assert "<script" not in text
        if extractor.child_pid is not None:
            peak_bytes = max(peak_bytes, psutil.Process(extractor.child_pid).memory_info().rss)
    assert unfitting == []
    assert 0 < peak_bytes < 1 << 30
