"""Small documents made on the spot, and a way to read them without a process."""

import random
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docx
import pymupdf

from rag_server.adapters.parsing.budget import Budget
from rag_server.adapters.parsing.detection import detect
from rag_server.adapters.parsing.readers import reader_for
from rag_server.adapters.parsing.reading import DamagedPage, Reading, Source
from rag_server.domain.extraction import ExtractionLimits, Page

_open: Any = pymupdf.open  # the library has no types


@contextmanager
def source_of(
    path: Path, *, pdf_engine: str = "pymupdf", media_type: str = "", wants_pictures: bool = False
) -> Iterator[Source]:
    """A file as the child sees it."""
    with path.open("rb") as file:
        yield Source(file, path.stat().st_size, path.name, media_type, pdf_engine, wants_pictures)


def read(
    path: Path, *, pdf_engine: str = "pymupdf", limits: ExtractionLimits | None = None
) -> tuple[Reading, list[Page]]:
    """Detect and read a file in this process; pages that could not be read are left out."""
    budget = Budget(limits or ExtractionLimits())
    with source_of(path, pdf_engine=pdf_engine) as source:
        reading = reader_for(detect(source, budget))(source, budget)
        pages = [page.page if isinstance(page, DamagedPage) else page for page in reading.pages]
    return reading, [page for page in pages if isinstance(page, Page)]


def make_pdf(path: Path, pages: Sequence[Sequence[tuple[float, float, str]]], *, font_size: float = 11) -> Path:
    """A PDF with lines of text at (x, y) points on A4 pages."""
    document = _open()
    for lines in pages:
        page = document.new_page(width=595, height=842)
        for x, y, text in lines:
            page.insert_text((x, y), text, fontsize=font_size)
    document.save(path)
    document.close()
    return path


def make_long_docx(path: Path, *, pages: int, chars_per_page: int) -> Path:
    """A DOCX with explicit page breaks and much text on each page, which does not compress like a bomb."""
    document = docx.Document()
    numbers = random.Random(7)  # noqa: S311 - no secret
    for number in range(pages):
        if number:
            document.add_page_break()  # type: ignore[no-untyped-call]  # the library leaves it untyped
        words = " ".join(f"palavra{numbers.randrange(10**6)}" for _ in range(chars_per_page // 14))
        document.add_paragraph(f"Página {number + 1}. {words}")
    document.save(str(path))
    return path


def make_zip(path: Path, members: Mapping[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path
