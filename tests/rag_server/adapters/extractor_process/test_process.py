"""The parser child is real here, and so are the signals."""

import asyncio
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from rag_server.adapters.extractor_process.process import ExtractorProcess
from rag_server.domain.extraction import Extraction, ExtractionLimits, SourceHints
from rag_server.domain.failure import FailureReason, IngestionFailed
from tests.fakes.documents import make_long_docx, make_pdf

DEADLINE_S = 30.0


@pytest.fixture
async def extractor() -> AsyncIterator[ExtractorProcess]:
    process = ExtractorProcess()
    yield process
    await process.close()


async def extract(
    extractor: ExtractorProcess,
    path: Path,
    limits: ExtractionLimits | None = None,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    name: str = "",
) -> Extraction:
    async with asyncio.timeout(DEADLINE_S):
        return await extractor.extract(path, SourceHints(name or path.name), limits or ExtractionLimits(), on_progress)


async def failure_of(
    extractor: ExtractorProcess, path: Path, limits: ExtractionLimits | None = None, name: str = ""
) -> tuple[FailureReason, dict[str, str]]:
    with pytest.raises(IngestionFailed) as failed:
        await extract(extractor, path, limits, name=name)
    return failed.value.failure.reason, dict(failed.value.failure.detail)


def child_of(extractor: ExtractorProcess) -> int:
    assert extractor.child_pid is not None
    return extractor.child_pid


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


async def test_a_document_without_a_suffix_is_read_by_its_bytes_and_its_name(
    extractor: ExtractorProcess, tmp_path: Path
) -> None:
    blob = write(tmp_path / "9f86d081884c7d65", "# Título\n\nUma frase.\n")
    extraction = await extract(extractor, blob, name="manual.md")
    assert extraction.media_type == "text/markdown"
    assert extraction.pages[0].text == "Título\n\nUma frase."
    assert [heading.text for heading in extraction.pages[0].headings] == ["Título"]


async def test_progress_is_told_page_by_page(extractor: ExtractorProcess, tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "a.pdf", [[(72, 72, f"page {number}")] for number in range(4)])
    seen: list[tuple[int, int]] = []
    extraction = await extract(extractor, path, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert [page.number for page in extraction.pages] == [1, 2, 3, 4]


async def test_the_same_child_reads_one_document_after_the_other(extractor: ExtractorProcess, tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "text")
    await extract(extractor, path)
    first = child_of(extractor)
    await extract(extractor, path)
    assert child_of(extractor) == first


async def test_a_child_is_replaced_after_its_share_of_documents(tmp_path: Path) -> None:
    extractor = ExtractorProcess(recycle_after_documents=2)
    path = write(tmp_path / "a.txt", "text")
    children = set()
    for _ in range(4):
        await extract(extractor, path)
        children.add(extractor.child_pid)
    await extractor.close()
    assert len(children - {None}) == 2


async def test_a_child_is_replaced_when_it_has_grown(tmp_path: Path) -> None:
    extractor = ExtractorProcess(recycle_above_bytes=1 << 20)
    await extract(extractor, write(tmp_path / "a.txt", "text"))
    assert extractor.child_pid is None


async def test_a_child_started_early_is_the_one_that_reads(extractor: ExtractorProcess, tmp_path: Path) -> None:
    await extractor.start(ExtractionLimits().memory_bytes)
    child = child_of(extractor)
    assert extractor.isolation.startswith("rlimits")
    await extract(extractor, write(tmp_path / "a.txt", "text"))
    assert child_of(extractor) == child


async def test_a_child_killed_while_idle_costs_nothing(extractor: ExtractorProcess, tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "text")
    await extract(extractor, path)
    os.kill(child_of(extractor), signal.SIGKILL)
    assert (await extract(extractor, path)).pages[0].text == "text"


async def test_a_document_whose_child_is_killed_from_outside_is_read_again(
    extractor: ExtractorProcess, tmp_path: Path
) -> None:
    path = make_long_docx(tmp_path / "long.docx", pages=40, chars_per_page=100_000)
    killed: list[int] = []

    def kill_once(done: int, _total: int) -> None:
        if done == 3 and not killed:
            killed.append(child_of(extractor))
            os.kill(killed[0], signal.SIGKILL)

    extraction = await extract(extractor, path, on_progress=kill_once)
    assert killed
    assert extraction.problem is None
    assert [page.number for page in extraction.pages] == list(range(1, 41))


async def test_pages_that_were_out_when_the_parser_crashed_are_kept(
    extractor: ExtractorProcess, tmp_path: Path
) -> None:
    path = make_long_docx(tmp_path / "long.docx", pages=40, chars_per_page=100_000)

    def crash(done: int, _total: int) -> None:
        if done == 3:
            os.kill(child_of(extractor), signal.SIGSEGV)

    extraction = await extract(extractor, path, on_progress=crash)
    assert extraction.problem is not None
    assert extraction.problem.reason is FailureReason.PARSER_CRASHED
    assert extraction.problem.detail["signal"] == "SIGSEGV"
    assert 3 <= len(extraction.pages) < 40
    assert (await extract(extractor, write(tmp_path / "next.txt", "next"))).pages[0].text == "next"


async def test_a_silent_child_is_killed_and_its_document_times_out(extractor: ExtractorProcess, tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "text")
    await extract(extractor, path)
    child = child_of(extractor)
    os.kill(child, signal.SIGSTOP)
    reason, detail = await failure_of(extractor, path, ExtractionLimits(page_timeout_s=0.3))
    assert (reason, detail) == (FailureReason.TIMEOUT, {"limit": "page_timeout_s"})
    assert not is_running(child)


async def test_a_document_that_takes_too_long_as_a_whole_times_out(extractor: ExtractorProcess, tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "text")
    await extract(extractor, path)
    os.kill(child_of(extractor), signal.SIGSTOP)
    reason, detail = await failure_of(extractor, path, ExtractionLimits(document_timeout_s=0.3))
    assert (reason, detail) == (FailureReason.TIMEOUT, {"limit": "document_timeout_s"})


async def test_giving_up_a_document_kills_its_child_at_once(extractor: ExtractorProcess, tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "text")
    await extract(extractor, path)
    child = child_of(extractor)
    os.kill(child, signal.SIGSTOP)
    reading = asyncio.create_task(extract(extractor, path))
    await asyncio.wait({reading}, timeout=0.2)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert not is_running(child)
    assert (await extract(extractor, path)).pages[0].text == "text"


async def test_a_document_that_needs_too_much_memory_says_so_and_costs_only_itself(
    extractor: ExtractorProcess, tmp_path: Path
) -> None:
    path = write(tmp_path / "big.txt", "palavra " * 8_000_000)
    small = ExtractionLimits(memory_bytes=150 << 20, max_text_chars=100_000_000)
    reason, _ = await failure_of(extractor, path, small)
    assert reason is FailureReason.OUT_OF_MEMORY
    assert (await extract(extractor, write(tmp_path / "a.txt", "text"), small)).pages[0].text == "text"


async def test_a_missing_blob_is_told_apart(extractor: ExtractorProcess, tmp_path: Path) -> None:
    assert await failure_of(extractor, tmp_path / "gone") == (FailureReason.BLOB_MISSING, {})


@pytest.mark.parametrize(
    ("limits", "which", "asked", "allowed"),
    [
        (ExtractionLimits(max_file_bytes=10), "max_file_bytes", "60", "10"),
        (ExtractionLimits(max_text_chars=40), "max_text_chars", "60", "40"),
        (ExtractionLimits(max_text_chars=10), "text_bytes", "60", "40"),
    ],
)
async def test_a_limit_says_which_and_how_much(
    extractor: ExtractorProcess, tmp_path: Path, limits: ExtractionLimits, which: str, asked: str, allowed: str
) -> None:
    path = write(tmp_path / "a.txt", "x" * 60)
    detail = {"which": which, "asked": asked, "allowed": allowed}
    assert await failure_of(extractor, path, limits) == (FailureReason.LIMIT_EXCEEDED, detail)


async def test_too_many_pages_are_refused_before_any_is_read(extractor: ExtractorProcess, tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "a.pdf", [[(72, 72, "text")]] * 6)
    reason, detail = await failure_of(extractor, path, ExtractionLimits(max_pages=5))
    assert (reason, detail["which"], detail["asked"]) == (FailureReason.LIMIT_EXCEEDED, "max_pages", "6")


async def test_a_pdf_of_empty_pages_has_no_text(extractor: ExtractorProcess, tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "a.pdf", [[], []])
    assert await failure_of(extractor, path) == (FailureReason.NO_TEXT, {"pages": "2"})


async def test_the_child_has_nothing_to_steal_and_nowhere_to_write(
    extractor: ExtractorProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACERVO_SECRET", "canary-8c1f")
    await extract(extractor, make_pdf(tmp_path / "a.pdf", [[(72, 72, "text")]]))
    child = child_of(extractor)
    process = Path(f"/proc/{child}")
    assert b"canary" not in (process / "environ").read_bytes()
    assert str((process / "cwd").readlink()).endswith("(deleted)")
    assert os.getsid(child) == child
    assert resource.prlimit(child, resource.RLIMIT_FSIZE) == (0, 0)
    assert resource.prlimit(child, resource.RLIMIT_CORE) == (0, 0)
    assert resource.prlimit(child, resource.RLIMIT_AS) == ((1 << 30) * 7 // 8,) * 2
    assert os.getpriority(os.PRIO_PROCESS, child) >= 10
    if (grouped := process / "autogroup").exists():
        assert grouped.read_text("ascii").endswith("nice 10\n")
    opened = {str(link.readlink()) for link in (process / "fd").iterdir()}
    assert all(target.startswith(("socket:", "pipe:", "/dev/null")) for target in opened)


async def test_the_child_dies_with_its_parent(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from rag_server.adapters.extractor_process.process import ExtractorProcess\n"
        "from rag_server.domain.extraction import ExtractionLimits, SourceHints\n"
        "async def main():\n"
        "    extractor = ExtractorProcess()\n"
        "    await extractor.extract(Path(sys.argv[1]), SourceHints('a.txt'), ExtractionLimits(), lambda *_: None)\n"
        "    print(extractor.child_pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    path = write(tmp_path / "a.txt", "text")
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(path), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    child = int(await asyncio.wait_for(parent.stdout.readline(), DEADLINE_S))
    parent.kill()
    await parent.wait()
    async with asyncio.timeout(DEADLINE_S):
        while is_running(child):
            await asyncio.sleep(0.02)


async def test_with_pdfium_alone_the_other_engine_is_not_even_loaded(tmp_path: Path) -> None:
    extractor = ExtractorProcess("pdfium")
    path = make_pdf(tmp_path / "a.pdf", [[(72, 72, "first line")], [(72, 72, "second page")]])
    extraction = await extract(extractor, path)
    maps = await asyncio.to_thread(Path(f"/proc/{child_of(extractor)}/maps").read_text)
    await extractor.close()
    assert [page.text for page in extraction.pages] == ["first line", "second page"]
    assert "pdfium" in maps
    assert "mupdf" not in maps


async def test_nothing_is_left_in_the_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    extractor = ExtractorProcess()
    await extract(extractor, write(tmp_path / "a.txt", "text"))
    left_over = await asyncio.to_thread(os.listdir, folder)
    assert left_over == []
    await extractor.close()
