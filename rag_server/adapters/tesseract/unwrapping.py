"""Joins the lines of recognised paragraphs: Tesseract breaks them where the picture does."""

import re
from itertools import pairwise

from rag_server.adapters.pdf.hyphens import Words

_BLANK_LINES = re.compile(r"\n[ \t]*\n\s*")
# A line of this share of the longest goes on in the next one.
_FULL_LINE = 0.75
_SHORTEST_FULL_CHARS = 40


def unwrapped(text: str) -> str:
    """The text with one line per paragraph; short lines, as of addresses and lists, stay lines."""
    words = Words()
    lines = text.replace("\x0c", "").split("\n")
    words.learn(lines)
    full = max(_SHORTEST_FULL_CHARS, _FULL_LINE * max(map(len, lines), default=0))
    paragraphs = _BLANK_LINES.split("\n".join(lines).strip())
    return "\n\n".join(_joined(paragraph.split("\n"), full, words) for paragraph in paragraphs)


def _joined(lines: list[str], full: float, words: Words) -> str:
    joined = [lines[0]]
    for line, following in pairwise(lines):
        if len(line) >= full:
            joined[-1] = words.join(joined[-1], following)
        else:
            joined.append(following)
    return "\n".join(joined)
