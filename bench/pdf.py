"""Writing plain PDF files by hand: text in a standard font, and dead weight where a large file is wanted."""

from collections.abc import Iterator, Sequence

from bench.prose import prose

LINE_CHARACTERS = 92
LINES_PER_PAGE = 60
PAGE_WORDS = 380
HEADER = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
FIRST_PAGE_OBJECT = 5

Pieces = tuple[bytes, ...]


def text_pdf(seed: int, pages: int, *markers: str) -> bytes:
    """A PDF of made-up prose. The markers stand on pages spread over it, each once."""
    texts = [prose(seed * 100_003 + number, PAGE_WORDS) for number in range(pages)]
    for place, marker in enumerate(markers):
        page = place * pages // len(markers)
        texts[page] = f"{marker} {texts[page]}"
    return write_pdf(texts)


def write_pdf(pages: Sequence[str], weight: bytes = b"") -> bytes:
    """Each text becomes a page; lines that do not fit on it are left out. `weight` is a stream that nobody reads."""
    return b"".join(pdf_pieces(pages, weight))


def pdf_pieces(pages: Sequence[str], weight: bytes = b"") -> Iterator[bytes]:
    """The bytes of `write_pdf`, piece by piece; the weight is one of them and is not copied."""
    objects = [_whole(_catalog()), _whole(_page_tree(len(pages))), _whole(_font()), _stream(weight)]
    for number, text in enumerate(pages):
        objects.append(_whole(_page(FIRST_PAGE_OBJECT + 2 * number + 1)))
        objects.append(_stream(_content(text)))
    yield from _assembled(objects)


def _assembled(objects: list[Pieces]) -> Iterator[bytes]:
    yield HEADER
    position = len(HEADER)
    positions: list[int] = []
    for number, body in enumerate(objects, start=1):
        positions.append(position)
        pieces = (b"%d 0 obj\n" % number, *body, b"\nendobj\n")
        position += sum(map(len, pieces))
        yield from pieces
    yield b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    yield b"".join(b"%010d 00000 n \n" % place for place in positions)
    yield b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, position)


def _catalog() -> bytes:
    return b"<< /Type /Catalog /Pages 2 0 R >>"


def _page_tree(count: int) -> bytes:
    kids = b" ".join(b"%d 0 R" % (FIRST_PAGE_OBJECT + 2 * number) for number in range(count))
    return b"<< /Type /Pages /Count %d /Kids [%s] >>" % (count, kids)


def _font() -> bytes:
    return b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"


def _page(content_object: int) -> bytes:
    return (
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R"
        b" /Resources << /Font << /F1 3 0 R >> >> >>" % content_object
    )


def _stream(data: bytes) -> Pieces:
    return (b"<< /Length %d >>\nstream\n" % len(data), data, b"\nendstream")


def _whole(body: bytes) -> Pieces:
    return (body,)


def _content(text: str) -> bytes:
    lines = [line for paragraph in text.split("\n\n") for line in [*_lines(paragraph), ""]][:LINES_PER_PAGE]
    shown = b"\n".join(b"(%s) '" % _escaped(line) for line in lines)
    return b"BT /F1 10 Tf 12.5 TL 50 800 Td\n%s\nET" % shown


def _lines(paragraph: str) -> Iterator[str]:
    line = ""
    for word in paragraph.split():
        if line and len(line) + 1 + len(word) > LINE_CHARACTERS:
            yield line
            line = word
        else:
            line = f"{line} {word}".strip()
    yield line


def _escaped(line: str) -> bytes:
    return line.encode("cp1252", "replace").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
