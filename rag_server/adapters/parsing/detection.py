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
_RTF = b"{\\rtf"
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")

_PICTURE_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", media_types.PNG),
    (b"\xff\xd8\xff", media_types.JPEG),
    (b"II*\x00", media_types.TIFF),
    (b"MM\x00*", media_types.TIFF),
)
_REFUSED_MAGIC: tuple[tuple[bytes, Refusal], ...] = (
    (b"GIF8", Refusal.OTHER_PICTURE),
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
)

# OLE directory entries are named in UTF-16.
_MESSAGE_STREAM = "__properties_version1.0"
_OLE_STREAMS: tuple[tuple[str, Refusal], ...] = (
    ("EncryptedPackage", Refusal.ENCRYPTED),
    ("EncryptionInfo", Refusal.ENCRYPTED),
    ("WordDocument", Refusal.LEGACY_WORD),
    ("PowerPoint Document", Refusal.LEGACY_POWERPOINT),
    ("Workbook", Refusal.LEGACY_EXCEL),
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
_PLAINER_THAN_HTML = media_types.TEXT - {media_types.HTML, media_types.PLAIN}


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
        return _kind_of_ole(source)
    if head.startswith(_RTF):
        return media_types.RTF
    for magic, media_type in _PICTURE_MAGIC:
        if head.startswith(magic):
            return _kind_of_picture(source, media_type)
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
    stored = _stored_mimetype(archive).removesuffix("-template")
    if stored in media_types.OPEN_DOCUMENT:
        return stored
    if stored.startswith("application/vnd.oasis.opendocument"):
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


def _kind_of_ole(source: Source) -> str:
    with source.mapped() as data:
        # First, because a message may carry any of the others.
        if data.find(_MESSAGE_STREAM.encode("utf-16-le")) >= 0:
            return media_types.MSG
        for stream, refusal in _OLE_STREAMS:
            if data.find(stream.encode("utf-16-le")) >= 0:
                raise Refused(refusal)
    raise Refused(Refusal.UNKNOWN_KIND)


def _kind_of_picture(source: Source, media_type: str) -> str:
    if not source.wants_pictures:
        raise Refused(Refusal.PICTURE)
    return media_type


def _refuse_known(head: bytes) -> None:
    for magic, refusal in _REFUSED_MAGIC:
        if head.startswith(magic):
            raise Refused(refusal)
    is_riff = head.startswith(b"RIFF")
    if is_riff and head[8:12] == b"WEBP":
        raise Refused(Refusal.OTHER_PICTURE)
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
    return declared if declared in media_types.TEXT else media_types.PLAIN
