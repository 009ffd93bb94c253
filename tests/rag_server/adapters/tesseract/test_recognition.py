"""With `echo` in Tesseract's place everywhere; with the real program where the machine has it."""

import shutil
from pathlib import Path
from typing import Any

import psutil
import pymupdf
import pytest

from rag_server.adapters.extractor_process.pictures import UnreadablePicture
from rag_server.adapters.extractor_process.process import ExtractorProcess
from rag_server.adapters.tesseract.recognition import Tesseract
from rag_server.domain.extraction import Extraction, ExtractionLimits, SourceHints
from rag_server.domain.failure import FailureReason, IngestionFailed

_open: Any = pymupdf.open  # the library has no types
PNG = b"\x89PNG\r\n\x1a\n a picture"
# Asked for its languages, echo names what it was asked.
ECHO = ("--list-langs", "/bin/echo")
NO_TESSERACT = "this machine has no Tesseract"
PORTUGUESE = "O arquivo municipal guarda os documentos de valor permanente e não os empresta a ninguém."


async def extract(path: Path, reader: Tesseract | None, limits: ExtractionLimits | None = None) -> Extraction:
    extractor = ExtractorProcess(picture_reader=reader)
    try:
        return await extractor.extract(path, SourceHints(path.name), limits or ExtractionLimits(), lambda *_: None)
    finally:
        await extractor.close()


def scan(path: Path, *pages: str) -> Path:
    """A PDF of pictures of text; `text:` before a page makes it one of letters."""
    document = _open()
    for page in pages:
        if page.startswith("text:"):
            document.new_page().insert_text((72, 72), page.removeprefix("text:"))
            continue
        written = _open()
        written.new_page().insert_textbox((72, 72, 520, 700), page, fontsize=16)
        picture = written[0].get_pixmap(dpi=200)
        document.new_page().insert_image((0, 0, 595, 842), pixmap=picture)
        written.close()
    document.save(path)
    document.close()
    return path


async def test_the_program_is_given_the_picture_and_its_output_is_the_text() -> None:
    reader = Tesseract(*ECHO)
    assert reader.why_not == ""
    assert await reader.read(PNG, 30) == "stdin stdout -l --list-langs --psm 3"


async def test_pages_of_pictures_get_their_text_and_the_others_keep_theirs(tmp_path: Path) -> None:
    path = scan(tmp_path / "a.pdf", "picture", "text:letters", "picture")
    extraction = await extract(path, Tesseract(*ECHO))
    recognised = "stdin stdout -l --list-langs --psm 3"
    assert [(page.number, page.text) for page in extraction.pages] == [(1, recognised), (2, "letters"), (3, recognised)]
    assert extraction.problem is None


@pytest.mark.parametrize(("program", "timeout_s"), [("/bin/false", 30.0), ("/bin/echo", 0.001)])
async def test_what_fails_or_takes_too_long_is_unreadable_and_leaves_nothing_behind(
    program: str, timeout_s: float
) -> None:
    with pytest.raises(UnreadablePicture):
        await Tesseract("por", program).read(PNG, timeout_s)
    assert [child for child in psutil.Process().children() if "tesseract" in " ".join(child.cmdline())] == []


async def test_pages_that_cannot_be_recognised_are_told(tmp_path: Path) -> None:
    reader = Tesseract(*ECHO)
    vars(reader)["_program"] = "/bin/false"
    extraction = await extract(scan(tmp_path / "a.pdf", "picture", "text:letters"), reader)
    assert [page.text for page in extraction.pages] == ["letters"]
    assert extraction.problem is not None
    assert extraction.problem.detail == {"pages_unreadable": "1"}


@pytest.mark.parametrize(
    ("reader", "sentence"),
    [
        (None, "ACERVO_OCR=por+eng turns it on"),
        (Tesseract("por", "no-such-program"), "Tesseract is not installed"),
        (Tesseract("por+xyz", "/bin/echo"), "does not have here: por, xyz"),
        (Tesseract("por", "/bin/false"), "does not run"),
    ],
)
async def test_where_pictures_are_not_read_people_are_told_what_to_do(
    tmp_path: Path, reader: Tesseract | None, sentence: str
) -> None:
    with pytest.raises(IngestionFailed) as failed:
        await extract(scan(tmp_path / "a.pdf", "picture"), reader)
    assert failed.value.failure.reason is FailureReason.NO_TEXT
    assert sentence in failed.value.failure.sentence


@pytest.mark.skipif(shutil.which("tesseract") is None or bool(Tesseract("por+eng").why_not), reason=NO_TESSERACT)
async def test_a_scanned_page_in_portuguese_is_read_letter_for_letter(tmp_path: Path) -> None:
    reader = Tesseract("por+eng")
    extraction = await extract(scan(tmp_path / "a.pdf", PORTUGUESE), reader)
    assert extraction.pages[0].text == PORTUGUESE
    _open(tmp_path / "a.pdf")[0].get_pixmap(dpi=200).save(tmp_path / "a.png")
    assert (await extract(tmp_path / "a.png", reader)).pages[0].text == PORTUGUESE
