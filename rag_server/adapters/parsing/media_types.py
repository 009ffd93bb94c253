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
CSV = "text/csv"
TSV = "text/tab-separated-values"

OFFICE = frozenset({DOCX, XLSX, PPTX})
# Their bytes begin with a mark of their own, so plain text under such a name is a damaged or a wrong file.
BINARY = OFFICE | {PDF, EPUB}

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
}  # fmt: skip


def declared_media_type(file_name: str, media_type: str) -> str:
    """What the sender says the file is: by its name, else by the media type sent along; "" if neither tells."""
    by_name = _BY_SUFFIX.get(suffix_of(file_name), "")
    return by_name or media_type.partition(";")[0].strip().lower()


def suffix_of(file_name: str) -> str:
    """The last suffix in lower case with its dot, "" if there is none."""
    return PurePosixPath(file_name.replace("\\", "/")).suffix.lower()
