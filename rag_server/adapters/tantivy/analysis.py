"""How text becomes terms, the same way for documents and queries."""

import re
from dataclasses import dataclass
from functools import lru_cache

from tantivy import Filter, TextAnalyzer, TextAnalyzerBuilder, Tokenizer

LONGEST_TERM_BYTES = 64

# No stop words of the engine's two lists, but words of questions and frequent forms, some as typed without accents.
_MORE_STOP_WORDS = """
    what which who whom whose when where why how does do did can could should would has have had its from which than
    quais onde porque por quê pra pro sobre ser é sera será sao nao ja so ate tambem ha voce entao apos esta estao
    pode podem deve devem cada
""".split()  # noqa: SIM905 - fifty literals would say no more

# Ordinal and degree signs: `art. 5º` and `art. 5` are one law, and `nº` is `n`.
_SIGNS = "ºª°"
_TYPED_ORDINAL = re.compile(r"(\d+)[oa]")

# Endings that the Portuguese stemmer knows by their accents: words typed without get them back.
_ACCENTED_ENDINGS = (
    "ção ções são sões xão arão erão irão ência ências ância âncias ável áveis ível íveis ária árias éria érias ória"
    " órias uído uídos uída uídas ês"
)


def _analyzer(*filters: Filter) -> TextAnalyzer:
    builder = TextAnalyzerBuilder(Tokenizer.simple()).filter(Filter.remove_long(LONGEST_TERM_BYTES))
    for each in filters:
        builder = builder.filter(each)
    return builder.build()


AS_TYPED = _analyzer()
FOLDED = _analyzer(Filter.lowercase(), Filter.ascii_fold())
# Stemmed first: the Portuguese stemmer goes by accents.
PORTUGUESE = _analyzer(Filter.lowercase(), Filter.stemmer("portuguese"), Filter.ascii_fold())
ENGLISH = _analyzer(Filter.lowercase(), Filter.stemmer("english"), Filter.ascii_fold())

_ACCENTS_OF = {FOLDED.analyze(ending)[0]: ending for ending in _ACCENTED_ENDINGS.split()}

_TELLING = _analyzer(
    Filter.lowercase(),
    Filter.stopword("english"),
    Filter.stopword("portuguese"),
    Filter.custom_stopword(_MORE_STOP_WORDS),
)


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a query in the forms that it is looked for."""

    folded: tuple[str, ...]
    portuguese: tuple[str, ...]
    english: tuple[str, ...]
    telling: bool  # no stop word


@dataclass(frozen=True, slots=True)
class Reference:
    """A number or code of several parts, such as 13.709/2018: its folded parts, in order."""

    parts: tuple[str, ...]


def prepared(text: str) -> str:
    """The text as the analysers should see it."""
    for sign in _SIGNS:
        text = text.replace(sign, " ")
    return text


@lru_cache(maxsize=64)  # asked twice in a search
def words_of(text: str) -> tuple[Word, ...]:
    """The different words of a query, in order."""
    shouted = text == text.upper()
    words = (_word(typed, shouted=shouted) for typed in AS_TYPED.analyze(prepared(text)))
    return tuple({word.folded: word for word in words if word.folded}.values())


def references_of(text: str) -> list[Reference]:
    """The different numbers and codes of several parts."""
    parts = (tuple(FOLDED.analyze(piece)) for piece in prepared(text).split() if any(map(str.isdigit, piece)))
    return [Reference(each) for each in dict.fromkeys(parts) if len(each) > 1]


@lru_cache(maxsize=4096)  # queries share their words
def _word(typed: str, *, shouted: bool) -> Word:
    folded = FOLDED.analyze(typed)
    ordinal = _TYPED_ORDINAL.fullmatch(folded[0]) if folded else None
    if ordinal:
        folded.append(ordinal[1])
    lower = typed.lower()
    portuguese = PORTUGUESE.analyze(typed)
    for plain, accented in _ACCENTS_OF.items():
        if lower.endswith(plain):
            portuguese += PORTUGUESE.analyze(lower.removesuffix(plain) + accented)
    # SEM and NOS are no stop words where the rest is not in capitals.
    acronym = len(typed) > 1 and typed.isupper() and not shouted
    telling = acronym or bool(_TELLING.analyze(typed))
    return Word(_distinct(folded), _distinct(portuguese), _distinct(ENGLISH.analyze(typed)), telling)


def _distinct(terms: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(terms))
