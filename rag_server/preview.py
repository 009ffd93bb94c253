"""Shows what the machine sees of a file, as JSON: `python -m rag_server.preview FILE`.

It needs no server and keeps nothing.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rag_server.bootstrap.entry import run
from rag_server.bootstrap.preview import previewing
from rag_server.domain.chunk import Chunk
from rag_server.domain.extraction import DocumentText
from rag_server.domain.preview import Preview
from rag_server.settings import Settings

NOTHING_EXTRACTED = 1


def main() -> int:
    """Print one line of JSON. Exit status 1: nothing could be read of the file; another: no look was possible."""
    parser = argparse.ArgumentParser(prog="python -m rag_server.preview", description=__doc__)
    parser.add_argument("file", type=Path)
    path: Path = parser.parse_args().file.absolute()
    if not path.is_file():
        parser.error(f"there is no file {path}")
    seen: list[Preview] = []

    async def look(settings: Settings) -> None:
        async with previewing(settings) as looking:
            seen.append(await looking.preview(path))

    status = run("preview", look)
    for preview in seen:
        sys.stdout.write(json.dumps(as_json(preview), ensure_ascii=False) + "\n")
        status = status or (NOTHING_EXTRACTED if preview.failure else 0)
    return status


def as_json(preview: Preview) -> dict[str, Any]:
    """The preview as data. Character ranges point into the pages' texts joined as they are stored."""
    extraction, document, why = preview.extraction, preview.document, preview.why
    return {
        "outcome": preview.outcome,
        "reason": why.reason if why else "",
        "message": why.sentence if why else "",
        "detail": dict(why.detail) if why else {},
        "media_type": extraction.media_type if extraction else "",
        "pages_total": extraction.pages_total if extraction else 0,
        "metadata": dict(extraction.properties) if extraction else {},
        "pages": _pages(document) if document else [],
        "headings": _headings(document) if document else [],
        "chunks": [_chunk(chunk) for chunk in preview.chunks],
        "seconds": round(preview.extracting_s + preview.chunking_s, 4),
        "times": {"extracting": round(preview.extracting_s, 4), "chunking": round(preview.chunking_s, 4)},
    }


def _pages(document: DocumentText) -> list[dict[str, Any]]:
    ends = (*document.page_starts[1:], len(document.text))
    spans = zip(document.page_numbers, document.page_starts, ends, strict=True)
    return [
        {"number": number, "char_start": start, "text": document.text[start:end].rstrip("\n")}
        for number, start, end in spans
    ]


def _headings(document: DocumentText) -> list[dict[str, Any]]:
    return [
        {
            "level": heading.level,
            "text": heading.text,
            "page": document.page_at(heading.char_start),
            "char_start": heading.char_start,
        }
        for heading in document.headings
    ]


def _chunk(chunk: Chunk) -> dict[str, Any]:
    return {
        "text": chunk.text,
        "page_first": chunk.page_first,
        "page_last": chunk.page_last,
        "char_start": chunk.char_start,
        "char_end": chunk.char_end,
        "headings": list(chunk.headings),
    }


if __name__ == "__main__":
    sys.exit(main())
