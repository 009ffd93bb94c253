"""The wire between the parent and the parser child: a length, then JSON. Requests carry a file descriptor beside.

The parent sends one request per document; the child answers with frames until `end` or `failed`:

    ready   {isolation}                          once, when the child has confined itself
    start   {media_type, pages_total, properties}
    alive   {}                                   inside a page that takes long
    page    {number, text, more, headings, tables, damaged}
                                                 `more`: the text goes on in the next frame, which has the rest
    picture {number, data, more}                 a page without text as PNG in base64, where pictures are wanted;
                                                 the last piece without `more`
    skipped {number}                             a page that could not be read
    end     {}
    failed  {refusal, detail}
"""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rag_server.domain.extraction import ExtractionLimits, Heading, SourceHints, TableRows

LENGTH = struct.Struct(">I")
MAX_FRAME_BYTES = 8 << 20
_HINT_CHARS = 200
# A page's text goes out in pieces of this size, so that no frame grows with its page.
PIECE_CHARS = 200_000


@dataclass(frozen=True, slots=True)
class Request:
    """What the child is asked to read; the bytes come as a file descriptor."""

    hints: SourceHints
    limits: ExtractionLimits
    pdf_engine: str
    wants_pictures: bool = False


def encode_request(request: Request) -> bytes:
    # Of the name only its ending matters, and it must not fill the socket.
    hints = {
        "file_name": request.hints.file_name[-_HINT_CHARS:],
        "media_type": request.hints.media_type[:_HINT_CHARS],
    }
    options = {"pdf_engine": request.pdf_engine, "wants_pictures": request.wants_pictures}
    return encode({"hints": hints, "limits": asdict(request.limits), **options})


def decode_request(payload: bytes) -> Request:
    """The child trusts its parent: a malformed request is a defect and raises whatever it raises."""
    fields = json.loads(payload)
    hints, limits = SourceHints(**fields["hints"]), ExtractionLimits(**fields["limits"])
    return Request(hints, limits, fields["pdf_engine"], fields["wants_pictures"])


def encode(message: Mapping[str, Any]) -> bytes:
    """A frame with its length before it."""
    payload = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return LENGTH.pack(len(payload)) + payload


def heading_fields(headings: Sequence[Heading]) -> list[list[int | str]]:
    """Headings as the wire has them: level, offset, text."""
    return [[heading.level, heading.char_start, heading.text] for heading in headings]


def table_fields(tables: Sequence[TableRows]) -> list[list[int | str]]:
    """Tables as the wire has them: first row, end of the last row, column names."""
    return [[table.char_start, table.char_end, table.header] for table in tables]
