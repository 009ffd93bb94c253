"""When two queries that are not typed alike may share an answer.

They may if their keys are equal, and for no other reason: there is no distance between queries here, for the nearest
are often those that differ in what matters (with and without, 2022 and 2023, before and after).

Dropped is what neither changes what is meant nor what search syntax says: the Unicode form, white space, how quotation
marks and dashes are drawn, signs that end a sentence, the capital that begins one, courtesies before and behind a
question, and the verb in `qual é o` and `onde é que`. All else stays as it was typed, above all

- every word, in its order, number, gender and tense: negations and prepositions are words like all others;
- digits and every sign that may belong to a number, a reference or a name (`5!`, `-5`, `.NET`, `C++`, `nº`, `m²`);
- accents: avó and avô, público and publico, e and é are different words;
- capitals behind the first word, and words all in capitals: SEM and PIS may be names, and Rosa is not always rosa.

A query with search syntax keeps everything but the drawing of its quotation marks and the width of its spaces.
"""

import re
import unicodedata

from rag_server.domain.wording import wording_of

_QUOTATION_MARKS = str.maketrans(dict.fromkeys("“”„‟«»＂", '"'))
_APOSTROPHES = str.maketrans(dict.fromkeys("‘’‚‛", "'"))
# A dash that begins a word stays as it is: as a hyphen it would exclude the word.
_DASH = re.compile(r"(?<=\S)[‐‑‒–—−]|[‐‑‒–—−](?=\s|\Z)|−(?=\d)")
_SPACE_BEFORE_COMMA = re.compile(r"(?<=[^\W\d_]) (?=[,;] )")
_OPENING = re.compile(r"[¿¡\s]+")
# An exclamation mark behind a digit is a factorial.
_ENDING = re.compile(r"(?:[\s?.,;:…]|(?<!\d)!)+\Z")
_FIRST_WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|['-])*(?=[,;:.]?(?:\s|\Z))")
_WORDS_OF_ONE_LETTER = frozenset("AEOÀÉ")

_QUESTION = (
    r"(?:(?:a|até|com|de|desde|em|para|por|sobre)\s)?(?:qual|quais|quem|como|onde|aonde|quando|quantos?|quantas?)\b"
    r"|(?:o|a|de|em|para)\sque\b|por\squ[eê]\b"
)
# `Pode informar quem denunciou?` may ask whether it is allowed, and `preciso saber` whether one must: neither is here.
_TO_KNOW = r"(?:eu\s)?(?:gostaria\sde|queria|quero|desejo)\ssaber"
_WISH = (
    rf"{_TO_KNOW}|me\s(?:diga|informe|explique)|(?:diga|informe|explique)-me"
    r"|(?:(?:poderia|pode|sabe|saberia)\sme|você\s(?:poderia|pode|sabe|saberia)(?:\sme)?)\s(?:dizer|informar|explicar)"
)
_GREETING = r"(?:olá|oi|bom\sdia|boa\starde|boa\snoite|prezados|prezadas|caros|senhores)"
_PLEASE = r"(?:por\s(?:favor|gentileza|obséquio)|please)"

# Each needs more than itself to be a courtesy: `Bom dia, Vietnã` is a film, and `por favor em libras` is a question.
_COURTESIES_BEFORE = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_GREETING}\s?[,.!]\s(?=(?:{_PLEASE}|{_WISH})\b|{_QUESTION})",
        rf"{_PLEASE}(?:\s?[,:]\s|\s(?=(?:{_WISH})\b|{_QUESTION}))",
        rf"(?:{_WISH})\s?[,:]?\s(?={_QUESTION})",
        rf"(?:{_WISH})\s(?=(?:o|a|os|as|sobre)\s)",
        rf"{_TO_KNOW}\sse\s",
    )
)
_COURTESIES_BEHIND = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?:\s?[,.?!]\s?){_PLEASE}\Z",
        r"[.?!]\s(?:muito\s)?(?:obrigad[oa]|grat[oa]|desde\sjá\s(?:agradeço|obrigad[oa]))\Z",
    )
)
_VERB_OF_QUESTION = re.compile(r"(?<=\Aqual )é (?=[oa] )|(?<=\Aquais )são (?=[oa]s )")
_PARTICLE = re.compile(r"\A(quem|onde|quando|como|quanto|o que|por que) é que (?=\w)")


def gate_key(text: str) -> str:
    """The form that queries have in common which may share an answer; the key of a key is the key itself."""
    key = " ".join(unicodedata.normalize("NFC", text).translate(_QUOTATION_MARKS).split())
    if _has_syntax(key):
        return key
    key = key.translate(_APOSTROPHES)
    while (bare := _stripped_once(key)) != key and any(map(str.isalnum, bare)) and not _has_syntax(bare):
        key = bare
    return key


def _has_syntax(text: str) -> bool:
    wording = wording_of(text)
    return wording.is_conditional or bool(wording.prefixes)


def _stripped_once(text: str) -> str:
    """Less of what may be dropped; the same text where there is nothing of it."""
    opening = _OPENING.match(text)
    text = _ENDING.sub("", text[opening.end() :] if opening else text)
    text = _SPACE_BEFORE_COMMA.sub("", _DASH.sub("-", text))
    for courtesy in _COURTESIES_BEFORE:
        found = courtesy.match(text)
        if found:
            text = text[found.end() :]
    for courtesy in _COURTESIES_BEHIND:
        text = courtesy.sub("", text)
    return _PARTICLE.sub(r"\1 ", _VERB_OF_QUESTION.sub("", _uncapitalised(text)))


def _uncapitalised(text: str) -> str:
    """With a small first letter, where the capital only begins the sentence; not where all is in capitals."""
    found = _FIRST_WORD.match(text)
    if found is None or text == text.upper():
        return text
    word = found[0]
    begins_sentence = word in _WORDS_OF_ONE_LETTER or (len(word) > 1 and word[1:] == word[1:].lower())
    return word[0].lower() + text[1:] if begins_sentence else text
