"""The kinds of file that are known by name, and what a file name's suffix declares."""

from pathlib import PurePosixPath

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
EPUB = "application/epub+zip"
HTML = "text/html"
MARKDOWN = "text/markdown"
PLAIN = "text/plain"
RTF = "application/rtf"
ODT = "application/vnd.oasis.opendocument.text"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
ODP = "application/vnd.oasis.opendocument.presentation"
EML = "message/rfc822"
MSG = "application/vnd.ms-outlook"
JSON = "application/json"
JSON_LINES = "application/jsonl"
PNG = "image/png"
JPEG = "image/jpeg"
TIFF = "image/tiff"
CSV = "text/csv"
TSV = "text/tab-separated-values"

OFFICE = frozenset({DOCX, XLSX, PPTX})
# Their bytes begin with a mark of their own, so plain text under such a name is a damaged or a wrong file.
OPEN_DOCUMENT = frozenset({ODT, ODS, ODP})
PICTURES = frozenset({PNG, JPEG, TIFF})
BINARY = OFFICE | OPEN_DOCUMENT | PICTURES | {PDF, EPUB, MSG, RTF}
TEXT = frozenset({HTML, MARKDOWN, PLAIN, CSV, TSV, EML, JSON, JSON_LINES})

_BY_SUFFIX = {
    ".pdf": PDF,
    ".docx": DOCX, ".docm": DOCX, ".dotx": DOCX, ".dotm": DOCX,
    ".xlsx": XLSX, ".xlsm": XLSX, ".xltx": XLSX, ".xltm": XLSX,
    ".pptx": PPTX, ".pptm": PPTX, ".ppsx": PPTX, ".ppsm": PPTX, ".potx": PPTX,
    ".epub": EPUB,
    ".html": HTML, ".htm": HTML, ".xhtml": HTML,
    ".md": MARKDOWN, ".markdown": MARKDOWN, ".mdown": MARKDOWN,
    ".csv": CSV,
    ".tsv": TSV, ".tab": TSV,
    ".rtf": RTF,
    ".odt": ODT, ".ott": ODT, ".ods": ODS, ".ots": ODS, ".odp": ODP, ".otp": ODP,
    ".eml": EML, ".msg": MSG,
    ".json": JSON, ".jsonl": JSON_LINES, ".ndjson": JSON_LINES,
    ".png": PNG, ".jpg": JPEG, ".jpeg": JPEG, ".tif": TIFF, ".tiff": TIFF,
}  # fmt: skip


_SYNONYMS = {
    "text/rtf": RTF, "application/x-rtf": RTF, "application/x-ndjson": JSON_LINES,
    "application/x-jsonlines": JSON_LINES, "application/jsonlines": JSON_LINES,
    "text/json": JSON, "image/jpg": JPEG, "text/x-markdown": MARKDOWN,
    "application/csv": CSV, "application/xhtml+xml": HTML,
}  # fmt: skip


def declared_media_type(file_name: str, media_type: str) -> str:
    """What the sender says the file is: by its name, else by the media type sent along; "" if neither tells."""
    by_name = _BY_SUFFIX.get(suffix_of(file_name), "")
    declared = media_type.partition(";")[0].strip().lower()
    return by_name or _SYNONYMS.get(declared, declared)


def suffix_of(file_name: str) -> str:
    """The last suffix in lower case with its dot, "" if there is none."""
    return PurePosixPath(file_name.replace("\\", "/")).suffix.lower()
