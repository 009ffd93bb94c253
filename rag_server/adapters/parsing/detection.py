"""What the bytes are: magic numbers first, the declared name only where bytes cannot tell."""

import re
import zipfile

from rag_server.adapters.parsing import media_types
from rag_server.adapters.parsing.budget import Budget
from rag_server.adapters.parsing.reading import Source
from rag_server.adapters.parsing.refusals import Refusal, Refused
from rag_server.adapters.parsing.zip_archives import open_archive
from rag_server.adapters.text.decoding import decode, looks_like_text

_HEAD_BYTES = 4096
# Readers of PDF accept junk before the header, within this distance.
_PDF_HEADER_WITHIN = 1024
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")

_REFUSED_MAGIC: tuple[tuple[bytes, Refusal], ...] = (
    (b"\x89PNG\r\n\x1a\n", Refusal.PICTURE),
    (b"\xff\xd8\xff", Refusal.PICTURE),
    (b"GIF8", Refusal.PICTURE),
    (b"II*\x00", Refusal.PICTURE),
    (b"MM\x00*", Refusal.PICTURE),
    (b"\x7fELF", Refusal.PROGRAM),
    (b"MZ", Refusal.PROGRAM),
    (b"\xca\xfe\xba\xbe", Refusal.PROGRAM),
    (b"\xcf\xfa\xed\xfe", Refusal.PROGRAM),
    (b"\x1f\x8b", Refusal.OTHER_ARCHIVE),
    (b"BZh", Refusal.OTHER_ARCHIVE),
    (b"7z\xbc\xaf\x27\x1c", Refusal.OTHER_ARCHIVE),
    (b"Rar!\x1a\x07", Refusal.OTHER_ARCHIVE),
    (b"\xfd7zXZ\x00", Refusal.OTHER_ARCHIVE),
    (b"\x28\xb5\x2f\xfd", Refusal.OTHER_ARCHIVE),
    (b"OggS", Refusal.SOUND_OR_FILM),
    (b"fLaC", Refusal.SOUND_OR_FILM),
    (b"ID3", Refusal.SOUND_OR_FILM),
    (b"\x1aE\xdf\xa3", Refusal.SOUND_OR_FILM),
    (b"{\\rtf", Refusal.RICH_TEXT),
)

# OLE directory entries are named in UTF-16.
_OLE_STREAMS: tuple[tuple[str, Refusal], ...] = (
    ("EncryptedPackage", Refusal.ENCRYPTED),
    ("EncryptionInfo", Refusal.ENCRYPTED),
    ("WordDocument", Refusal.LEGACY_WORD),
    ("PowerPoint Document", Refusal.LEGACY_POWERPOINT),
    ("Workbook", Refusal.LEGACY_EXCEL),
    ("__substg1.0_", Refusal.OUTLOOK_MESSAGE),
)

_OFFICE_PARTS = (
    (re.compile(r"word/document\d*\.xml$"), media_types.DOCX),
    (re.compile(r"xl/workbook\.xml$"), media_types.XLSX),
    (re.compile(r"ppt/presentation\.xml$"), media_types.PPTX),
)
_HTML_START = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|title|meta|table|div)\b",
    re.IGNORECASE | re.DOTALL,
)
# These may well begin with a tag and are still what their name says.
_PLAINER_THAN_HTML = frozenset({media_types.MARKDOWN, media_types.CSV, media_types.TSV})
_TEXT_KINDS = _PLAINER_THAN_HTML | {media_types.HTML}


def detect(source: Source, budget: Budget) -> str:
    """The media type to read the file as.

    :raises Refused: the file is empty, of a kind that is not read, or not what its name says.
    """
    head = source.head(_HEAD_BYTES)
    if not head:
        raise Refused(Refusal.EMPTY_FILE)
    declared = media_types.declared_media_type(source.file_name, source.declared_media_type)
    if b"%PDF-" in head[:_PDF_HEADER_WITHIN]:
        return media_types.PDF
    if head.startswith(b"PK"):
        return _kind_of_zip(source, budget, declared)
    if head.startswith(_OLE):
        raise Refused(_kind_of_ole(source))
    _refuse_known(head)
    return _kind_of_text(head, declared)


def _kind_of_zip(source: Source, budget: Budget, declared: str) -> str:
    try:
        with open_archive(source.file, budget) as archive:
            return _kind_of_members(archive)
    except Refused as refused:
        is_no_document = declared not in media_types.BINARY
        if refused.refusal is Refusal.BROKEN_ARCHIVE and is_no_document:
            raise Refused(Refusal.ZIP_ARCHIVE) from refused
        if refused.refusal is Refusal.ZIP_ARCHIVE and not is_no_document:
            raise Refused(Refusal.NOT_WHAT_ITS_NAME_SAYS) from refused
        raise


def _kind_of_members(archive: zipfile.ZipFile) -> str:
    names = archive.namelist()
    if "META-INF/container.xml" in names or _stored_mimetype(archive) == media_types.EPUB:
        return media_types.EPUB
    if _stored_mimetype(archive).startswith("application/vnd.oasis.opendocument"):
        raise Refused(Refusal.OPEN_DOCUMENT)
    if "xl/workbook.bin" in names:
        raise Refused(Refusal.BINARY_WORKBOOK)
    for pattern, media_type in _OFFICE_PARTS:
        if any(pattern.match(name.replace("\\", "/").lstrip("/").lower()) for name in names):
            return media_type
    raise Refused(Refusal.ZIP_ARCHIVE)


def _stored_mimetype(archive: zipfile.ZipFile) -> str:
    try:
        info = archive.getinfo("mimetype")
        with archive.open(info) as member:
            return member.read(100).decode("ascii", "replace").strip()
    except (KeyError, zipfile.BadZipFile, OSError):
        return ""


def _kind_of_ole(source: Source) -> Refusal:
    with source.mapped() as data:
        for stream, refusal in _OLE_STREAMS:
            if data.find(stream.encode("utf-16-le")) >= 0:
                return refusal
    return Refusal.UNKNOWN_KIND


def _refuse_known(head: bytes) -> None:
    for magic, refusal in _REFUSED_MAGIC:
        if head.startswith(magic):
            raise Refused(refusal)
    is_riff = head.startswith(b"RIFF")
    if is_riff and head[8:12] == b"WEBP":
        raise Refused(Refusal.PICTURE)
    if is_riff or head[4:8] == b"ftyp":
        raise Refused(Refusal.SOUND_OR_FILM)


def _kind_of_text(head: bytes, declared: str) -> str:
    is_text = looks_like_text(head)
    is_html = is_text and bool(_HTML_START.match(decode(head).lstrip("\ufeff")))
    if is_html and declared not in _PLAINER_THAN_HTML:
        return media_types.HTML
    if declared in media_types.BINARY:
        raise Refused(Refusal.NOT_WHAT_ITS_NAME_SAYS)
    if not is_text:
        raise Refused(Refusal.UNKNOWN_KIND)
    return declared if declared in _TEXT_KINDS else media_types.PLAIN
