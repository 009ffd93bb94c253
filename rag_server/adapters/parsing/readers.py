"""Which reader takes which kind of file. Readers load their libraries when first used."""

from collections.abc import Mapping
from importlib import import_module
from typing import cast

from rag_server.adapters.parsing import media_types
from rag_server.adapters.parsing.reading import Reader

_READERS: Mapping[str, tuple[str, str]] = {
    media_types.PDF: ("rag_server.adapters.pdf.reader", "read_pdf"),
    media_types.DOCX: ("rag_server.adapters.docx.reader", "read_docx"),
    media_types.XLSX: ("rag_server.adapters.openpyxl.reader", "read_xlsx"),
    media_types.PPTX: ("rag_server.adapters.pptx.reader", "read_pptx"),
    media_types.EPUB: ("rag_server.adapters.epub.reader", "read_epub"),
    media_types.HTML: ("rag_server.adapters.selectolax.reader", "read_html"),
    media_types.MARKDOWN: ("rag_server.adapters.text.markdown", "read_markdown"),
    media_types.PLAIN: ("rag_server.adapters.text.plain", "read_plain"),
    media_types.CSV: ("rag_server.adapters.text.delimited", "read_delimited"),
    media_types.TSV: ("rag_server.adapters.text.delimited", "read_delimited"),
    media_types.RTF: ("rag_server.adapters.rtf.reader", "read_rtf"),
    media_types.ODT: ("rag_server.adapters.opendocument.reader", "read_text"),
    media_types.ODS: ("rag_server.adapters.opendocument.reader", "read_spreadsheet"),
    media_types.ODP: ("rag_server.adapters.opendocument.reader", "read_presentation"),
    media_types.EML: ("rag_server.adapters.email.reader", "read_eml"),
    media_types.MSG: ("rag_server.adapters.olefile.reader", "read_msg"),
    media_types.JSON: ("rag_server.adapters.json_items.reader", "read_json"),
    media_types.JSON_LINES: ("rag_server.adapters.json_items.reader", "read_json_lines"),
    media_types.PNG: ("rag_server.adapters.pillow.reader", "read_picture"),
    media_types.JPEG: ("rag_server.adapters.pillow.reader", "read_picture"),
    media_types.TIFF: ("rag_server.adapters.pillow.reader", "read_picture"),
}


def reader_for(media_type: str) -> Reader:
    """The reader of a detected media type."""
    module, function = _READERS[media_type]
    return cast("Reader", getattr(import_module(module), function))
