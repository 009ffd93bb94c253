"""What the text of a query asks for: words, quoted phrases, excluded words, and beginnings of words.

There is little syntax, and nothing in it can be wrong: what is not understood is text. Only `"a phrase"`, `-word`,
`-"a phrase"` and `beginn*` mean more than their words. A number, a reference or a name with a hyphen stays as it is:
only a letter or a quotation mark behind a minus that begins a word excludes.
"""

import re
from dataclasses import dataclass, replace
from functools import lru_cache

# Telephones and word processors write these by themselves.
_QUOTATION_MARKS = str.maketrans(dict.fromkeys("“”„‟«»＂", '"'))
_PIECE = re.compile(
    r"""
    (?P<minus>(?<!\S)-)?(?<!\w)"(?P<phrase>[^"]*)"(?!\w)
    | (?<!\S)-(?P<excluded>[^\W\d_][^\s"]*)
    | (?<!\w)(?P<prefix>[^\W_]{2,})\*(?!\w)
    """,
    re.VERBOSE,
)
_SIGN = re.compile(r'["*-]')  # every piece has one
_WORD = re.compile(r"[^\W_]")


@dataclass(frozen=True, slots=True)
class Wording:
    """The text of a query, taken apart."""

    text: str  # the words that are looked for, those of phrases among them; nothing of what follows the phrases here
    phrases: tuple[str, ...] = ()  # each must be there
    excluded: tuple[str, ...] = ()  # words or phrases: none may be there
    prefixes: tuple[str, ...] = ()

    @property
    def meaning(self) -> str:
        """What may be embedded: all that is looked for."""
        return " ".join(filter(None, (self.text, *self.prefixes)))

    @property
    def without_phrases(self) -> "Wording":
        """The same words, wherever they stand; what is excluded stays so."""
        return replace(self, phrases=())

    @property
    def is_conditional(self) -> bool:
        """Whether passages must meet a condition, however well they fit otherwise."""
        return bool(self.phrases or self.excluded)


@lru_cache(maxsize=256)  # every part of a search asks
def wording_of(query: str) -> Wording:
    """The query, taken apart. One that only excludes is plain text: it asks for nothing."""
    text = query.translate(_QUOTATION_MARKS)
    if not _SIGN.search(text):
        return Wording(text.strip() if _WORD.search(text) else query)
    rest: list[str] = []
    found: dict[str, list[str]] = {"phrase": [], "excluded": [], "prefix": []}
    taken = 0
    for match in _PIECE.finditer(text):
        rest.append(text[taken : match.start()])
        taken = match.end()
        kind, piece = _understood(match)
        if kind == "phrase":
            rest.append(piece)
        if kind and _WORD.search(piece):
            found[kind].append(piece)
    wanted = "".join([*rest, text[taken:]]).strip()
    if not (_WORD.search(wanted) or found["prefix"]):
        return Wording(query)
    return Wording(wanted, *(tuple(dict.fromkeys(found[kind])) for kind in ("phrase", "excluded", "prefix")))


def _understood(match: re.Match[str]) -> tuple[str, str]:
    """The kind of a piece, and the piece without its signs."""
    if match["phrase"] is not None:
        return ("excluded" if match["minus"] else "phrase"), match["phrase"]
    if match["excluded"] is not None:
        return "excluded", match["excluded"]
    return "prefix", match["prefix"]
