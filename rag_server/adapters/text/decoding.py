"""Bytes to text without being told the encoding.

A byte order mark decides; else the zero bytes of UTF-16 and UTF-32; else valid UTF-8 is UTF-8; else what the file
itself declares, where its bytes agree; else the eight-bit encodings compete (`plausibility`).
"""

import codecs
import re

from rag_server.adapters.text.plausibility import best_eight_bit_encoding

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Encoding, the places in each four bytes that are zero, those that are not, and the least share of zeros.
_WIDE: tuple[tuple[str, tuple[int, ...], tuple[int, ...], float], ...] = (
    ("utf-32-le", (2, 3), (0,), 0.9),
    ("utf-32-be", (0, 1), (3,), 0.9),
    ("utf-16-le", (1, 3), (0, 2), 0.5),
    ("utf-16-be", (0, 2), (1, 3), 0.5),
)
_HARDLY = 0.1
_FEWEST_WIDE_BYTES = 8
SAMPLE_BYTES = 32_000
_NON_ASCII = re.compile(rb"[\x80-\xff]")
_BROKEN_UTF8 = re.compile("[\udc80-\udcff]")
_MULTI_BYTE = re.compile("[\x80-\ud7ff\ue000-\U0010ffff]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_MAX_CONTROL_SHARE = 0.02
_FEW_CONTROLS = 8
# Browsers read these names as the larger Windows encoding, because writers meant that.
_WIDER = {"iso-8859-1": "cp1252", "latin-1": "cp1252", "latin1": "cp1252", "us-ascii": "cp1252", "ascii": "cp1252"}


def looks_like_text(sample: bytes) -> bool:
    """Whether the beginning of a file can be text in some encoding."""
    sample = sample[:SAMPLE_BYTES]
    try:
        text = decode(sample)
    except UnicodeError:
        return False
    controls = len(_CONTROLS.findall(text))
    return controls <= max(_MAX_CONTROL_SHARE * len(text), _FEW_CONTROLS if len(text) > controls * 2 else 0)


def decode(data: bytes, declared: str = "") -> str:
    """The text of a file or of its beginning.

    :raises UnicodeError: the bytes are no text in any encoding that is known here.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    wide = _wide_encoding(data[:SAMPLE_BYTES])
    if wide:
        return data.decode(wide, "replace")
    text = data.decode("utf-8", "surrogateescape")
    broken = len(_BROKEN_UTF8.findall(text))
    if not broken:
        return text
    if declared:
        as_declared = _decode_as(data, declared)
        if as_declared is not None:
            return as_declared
    # Eight-bit text hardly ever contains valid UTF-8 sequences by chance.
    intact = len(_MULTI_BYTE.findall(text))
    if intact > 1 and intact * 2 >= broken:
        return _BROKEN_UTF8.sub(_as_windows, text)
    return _decode_eight_bit(data)


def _wide_encoding(sample: bytes) -> str:
    """UTF-16 or UTF-32 without a mark, told by where the zero bytes of Western text stand."""
    if len(sample) < _FEWEST_WIDE_BYTES:
        return ""
    quarters = [sample[place::4] for place in range(4)]
    zeros = [quarter.count(0) / len(quarter) for quarter in quarters]
    for encoding, zero, other, least in _WIDE:
        if all(zeros[place] > least for place in zero) and all(zeros[place] < _HARDLY for place in other):
            return encoding
    return ""


def _decode_as(data: bytes, declared: str) -> str | None:
    name = declared.strip().lower()
    try:
        return data.decode(codecs.lookup(_WIDER.get(name, name)).name)
    except (UnicodeError, LookupError, ValueError):
        return None


def _as_windows(match: re.Match[str]) -> str:
    return bytes([ord(match.group()) - 0xDC00]).decode("cp1252", "ignore")


def _decode_eight_bit(data: bytes) -> str:
    first = _NON_ASCII.search(data)
    start = max(first.start() - 200, 0) if first else 0
    encoding = best_eight_bit_encoding(data[start : start + SAMPLE_BYTES])
    if encoding is None:
        raise UnicodeError("no text in any known encoding")
    # The five bytes that Windows left undefined become lone surrogates, which cleaning drops.
    return data.decode(encoding, "surrogateescape")
