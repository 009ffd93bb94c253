"""The one form that extracted text has: NFC, no control characters, plain spaces, no ligatures."""

import re
import unicodedata

_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_SOFT_HYPHENS = re.compile("\u00ad(?:[ \t]*\n[ \t]*)?")
_TRAILING_SPACES = re.compile("[ \t]+(?=\n)")
_MANY_BLANK_LINES = re.compile("\n{3,}")

# Each is deleted: controls, zero-width marks, directional overrides, surrogates, noncharacters, invisible tags.
_DELETED = (
    "\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f"
    "\ufeff\ufff9-\ufffb\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f"
)
_DELETIONS = re.compile(f"[{_DELETED}]")
_REPLACED = {
    "\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl", "\ufb03": "ffi", "\ufb04": "ffl", "\ufb05": "st", "\ufb06": "st",
    # Symbol fonts put their bullets into the private use area.
    "\uf0b7": "•", "\uf0a7": "▪", "\uf0d8": "▸", "\uf0fc": "✓", "\uf02d": "-",
    **dict.fromkeys("\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a", " "),
    **dict.fromkeys("\u202f\u205f\u3000", " "),
}  # fmt: skip
# Letters in the shapes that they take inside words, which fonts may give instead of the letters.
_ARABIC_SHAPES = re.compile("[\ufb50-\ufbb1\ufbd3-\ufd3d\ufd50-\ufdcf\ufdf0-\ufdfc\ufe70-\ufefc]")
_REPLACEMENTS = re.compile(f"[{''.join(_REPLACED)}]")


def clean(text: str) -> str:
    """Bring one block of text into the form of this module; inner line breaks and indents stay."""
    if text.isascii() and text.isprintable():  # as most cells of most tables are
        return text.rstrip()
    text = _LINE_ENDS.sub("\n", text)
    if not text.isascii():
        text = _SOFT_HYPHENS.sub("", text)
        text = _REPLACEMENTS.sub(lambda match: _REPLACED[match.group()], text)
        text = _ARABIC_SHAPES.sub(lambda match: unicodedata.normalize("NFKC", match.group()), text)
    text = _DELETIONS.sub("", text)
    text = _TRAILING_SPACES.sub("", text)
    text = _MANY_BLANK_LINES.sub("\n\n", text)
    return unicodedata.normalize("NFC", text).strip("\n").rstrip()


def clean_line(text: str) -> str:
    """Clean text and put it on one line, with single spaces."""
    return " ".join(clean(text).split())


def is_clean(text: str) -> bool:
    """Whether text from elsewhere has the form that `clean` gives, as far as readers of it rely on it."""
    return not _DELETIONS.search(text) and not _LINE_ENDS.search(text) and unicodedata.is_normalized("NFC", text)
