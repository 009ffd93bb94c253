from pathlib import Path

import docx
import pytest

from rag_server.adapters.parsing import media_types
from rag_server.adapters.parsing.budget import Budget
from rag_server.adapters.parsing.detection import detect
from rag_server.adapters.parsing.refusals import Refusal, Refused, failure_of
from rag_server.domain.extraction import ExtractionLimits
from tests.fakes.documents import make_pdf, make_zip, source_of

OLE = bytes.fromhex("d0cf11e0a1b11ae1")


def kind_of(path: Path, media_type: str = "") -> str:
    with source_of(path, media_type=media_type) as source:
        return detect(source, Budget(ExtractionLimits()))


def refusal_of(path: Path) -> Refusal:
    with pytest.raises(Refused) as refused:
        kind_of(path)
    return refused.value.refusal


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", ["a.pdf", "a.docx", "a.txt", "a"])
def test_a_pdf_is_a_pdf_whatever_its_name(tmp_path: Path, name: str) -> None:
    assert kind_of(make_pdf(tmp_path / name, [[(72, 72, "x")]])) == media_types.PDF


def test_office_files_are_told_by_their_parts(tmp_path: Path) -> None:
    path = tmp_path / "named.xlsx"
    docx.Document().save(str(path))
    assert kind_of(path) == media_types.DOCX
    assert kind_of(make_zip(tmp_path / "a", {"xl/workbook.xml": "<a/>"})) == media_types.XLSX
    assert kind_of(make_zip(tmp_path / "b", {"ppt/presentation.xml": "<a/>"})) == media_types.PPTX
    assert kind_of(make_zip(tmp_path / "c", {"mimetype": "application/epub+zip"})) == media_types.EPUB


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.txt", "só texto", media_types.PLAIN),
        ("a.log", "só texto", media_types.PLAIN),
        ("a", "só texto", media_types.PLAIN),
        ("a.MD", "# título", media_types.MARKDOWN),
        ("a.md", "<div>still Markdown</div>", media_types.MARKDOWN),
        ("a.csv", "a;b", media_types.CSV),
        ("a.tsv", "a\tb", media_types.TSV),
        ("a.txt", "<!DOCTYPE html><p>x", media_types.HTML),
        ("a.xlsx", "<html><table><tr><td>1</td></tr></table>", media_types.HTML),
        ("a.htm", "no tags at all", media_types.HTML),
        ("a.rtf", "{\\rtf1 x}", media_types.RTF),
        ("a.doc", "{\\rtf1 x}", media_types.RTF),
        ("a.eml", "Subject: x\n\n<html>", media_types.EML),
        ("a.json", "[]", media_types.JSON),
        ("a.jsonl", "{}", media_types.JSON_LINES),
    ],
)
def test_text_is_what_it_looks_like_or_else_what_it_is_called(
    tmp_path: Path, name: str, content: str, kind: str
) -> None:
    assert kind_of(write(tmp_path / name, content.encode())) == kind


def test_the_media_type_sent_along_counts_where_the_name_says_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "blob", b"a;b\n1;2\n")
    assert kind_of(path, "text/csv; charset=utf-8") == media_types.CSV
    assert kind_of(path, "application/octet-stream") == media_types.PLAIN


@pytest.mark.parametrize(
    ("name", "content", "refusal"),
    [
        ("a.pdf", b"", Refusal.EMPTY_FILE),
        ("a.pdf", b"x", Refusal.NOT_WHAT_ITS_NAME_SAYS),
        ("a.docx", b"plain words", Refusal.NOT_WHAT_ITS_NAME_SAYS),
        ("a.pdf", b"MZ\x90\x00\x03", Refusal.PROGRAM),
        ("a.png", b"\x89PNG\r\n\x1a\n", Refusal.PICTURE),
        ("a.jpg", b"\xff\xd8\xff\xe0", Refusal.PICTURE),
        ("a.doc", OLE + "WordDocument".encode("utf-16-le"), Refusal.LEGACY_WORD),
        ("a.xls", OLE + "Workbook".encode("utf-16-le"), Refusal.LEGACY_EXCEL),
        ("a.ppt", OLE + "PowerPoint Document".encode("utf-16-le"), Refusal.LEGACY_POWERPOINT),
        ("a.docx", OLE + "EncryptedPackage".encode("utf-16-le"), Refusal.ENCRYPTED),
        ("a.gif", b"GIF89a", Refusal.OTHER_PICTURE),
        ("a.webp", b"RIFF\0\0\0\0WEBPVP8 ", Refusal.OTHER_PICTURE),
        ("a.tif", b"II*\0\x08\0\0\0", Refusal.PICTURE),
        ("a.png", b"only words", Refusal.NOT_WHAT_ITS_NAME_SAYS),
        ("a.rtf", b"only words", Refusal.NOT_WHAT_ITS_NAME_SAYS),
        ("a.gz", b"\x1f\x8b\x08", Refusal.OTHER_ARCHIVE),
        ("a.mp4", b"\0\0\0\x18ftypmp42", Refusal.SOUND_OR_FILM),
        ("a.zip", b"PK\x03\x04 cut off", Refusal.ZIP_ARCHIVE),
        ("a.docx", b"PK\x03\x04 cut off", Refusal.BROKEN_ARCHIVE),
        ("a.txt", bytes(range(256)) * 20, Refusal.UNKNOWN_KIND),
    ],
)
def test_what_is_not_read_is_refused_with_a_reason(tmp_path: Path, name: str, content: bytes, refusal: Refusal) -> None:
    assert refusal_of(write(tmp_path / name, content)) is refusal


def test_zip_archives_say_what_they_are(tmp_path: Path) -> None:
    assert refusal_of(make_zip(tmp_path / "a.zip", {"a.txt": "x"})) is Refusal.ZIP_ARCHIVE
    assert refusal_of(make_zip(tmp_path / "a.docx", {"a.txt": "x"})) is Refusal.NOT_WHAT_ITS_NAME_SAYS
    assert refusal_of(make_zip(tmp_path / "b", {"xl/workbook.bin": "x"})) is Refusal.BINARY_WORKBOOK
    drawing = make_zip(tmp_path / "a.odg", {"mimetype": "application/vnd.oasis.opendocument.graphics"})
    assert refusal_of(drawing) is Refusal.OPEN_DOCUMENT


def test_open_document_files_are_told_by_the_type_that_they_store(tmp_path: Path) -> None:
    for suffix in ("text", "spreadsheet", "presentation", "text-template"):
        path = make_zip(tmp_path / suffix, {"mimetype": f"application/vnd.oasis.opendocument.{suffix}"})
        assert kind_of(path) == f"application/vnd.oasis.opendocument.{suffix.removesuffix('-template')}"


def test_a_message_is_a_message_whatever_is_attached_to_it(tmp_path: Path) -> None:
    content = OLE + "WordDocument".encode("utf-16-le") + "__properties_version1.0".encode("utf-16-le")
    assert kind_of(write(tmp_path / "a.msg", content)) == media_types.MSG


def test_pictures_are_read_where_they_are_wanted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jpg", b"\x89PNG\r\n\x1a\n")
    with source_of(path, wants_pictures=True) as source:
        assert detect(source, Budget(ExtractionLimits())) == media_types.PNG


@pytest.mark.parametrize("refusal", Refusal)
def test_every_refusal_has_a_reason_and_a_sentence(refusal: Refusal) -> None:
    assert failure_of(refusal, {}).sentence.endswith(".")
