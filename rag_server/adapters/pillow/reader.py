"""Pictures, made ready for their text to be recognised: one page per frame, grey, of bounded size."""

import io
from collections.abc import Iterator

from PIL import Image

from rag_server.adapters.parsing.budget import Budget
from rag_server.adapters.parsing.reading import PicturePage, Reading, ReadPage, Source, UnreadablePage
from rag_server.adapters.parsing.refusals import limit_exceeded

# Of a frame as it is stored; decoding one costs up to four bytes each.
MAX_STORED_PIXELS = 100_000_000
# Of a page that goes out: A4 at 300 dots per inch has 8.7 million.
MAX_PIXELS = 16_000_000
_FORMATS = ("PNG", "JPEG", "TIFF")


def read_picture(source: Source, budget: Budget) -> Reading:
    """One page per frame: TIFF holds many."""
    source.file.seek(0)
    Image.MAX_IMAGE_PIXELS = None  # the size is checked below, for each frame
    image = Image.open(source.file, formats=_FORMATS)
    count = getattr(image, "n_frames", 1)
    budget.expect_pages(count)
    _check_size(image)
    return Reading(_pages(image, count), count)


def png_of(image: Image.Image) -> bytes:
    """A picture as a grey PNG of at most MAX_PIXELS."""
    grey = image.convert("L")
    pixels = grey.width * grey.height
    if pixels > MAX_PIXELS:
        scale = (MAX_PIXELS / pixels) ** 0.5
        grey = grey.resize((max(int(grey.width * scale), 1), max(int(grey.height * scale), 1)))
    written = io.BytesIO()
    grey.save(written, "PNG", compress_level=1)
    return written.getvalue()


def _pages(image: Image.Image, count: int) -> Iterator[ReadPage]:
    for index in range(count):
        try:
            image.seek(index)
            _check_size(image)
            png = png_of(image)
        except (OSError, EOFError, ValueError, SyntaxError):  # what the library says of damaged frames
            yield UnreadablePage(index + 1)
        else:
            yield PicturePage(index + 1, png)


def _check_size(image: Image.Image) -> None:
    pixels = image.width * image.height
    if pixels > MAX_STORED_PIXELS:
        raise limit_exceeded("pixels", pixels, MAX_STORED_PIXELS)
