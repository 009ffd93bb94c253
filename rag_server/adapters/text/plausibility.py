"""Which eight-bit encoding makes the most word-like text of some bytes.

Statistics over languages guess wildly on short texts, and Portuguese is what these files hold most: so the letters
beside each other are asked whether they can stand in one word. Portuguese wins where two are equal.
"""

import re
import unicodedata

# In the order of preference where the scores are equal.
_CANDIDATES = ("cp1252", "mac_roman", "cp850", "cp1251", "cp866", "koi8_r")
_JAPANESE = ("cp932", "euc_jp")
_EBCDIC = "cp500"
_EBCDIC_SPACE = 0x40
_LAST_ASCII = 0x7F

_NON_ASCII_RUN = re.compile("[^\x00-\x7f]+")
_KANA = re.compile("[\u3040-\u30ff]")
_IDEOGRAPH = re.compile("[\u3000-\u3003\u4e00-\u9fff\uff01-\uff5e]")
_PRINTABLE_ASCII = re.compile("[\n\r\t\x85 -~]")
_PORTUGUESE = frozenset("áàâãéêíóôõúüçÁÀÂÃÉÊÍÓÔÕÚÜÇ")
_PUNCTUATION = frozenset("«»“”‘’–—…•§©®™€£°ºª¿¡·\u00a0")
_ORDINALS = frozenset("ºª°")
_LONGEST_ACCENTED_RUN = 3
_MIN_KANA_SHARE = 0.3
_MIN_SCORE = 0.1
# Text with so few characters outside ASCII is text whatever they are.
_FEW_NON_ASCII_SHARE = 0.05


def best_eight_bit_encoding(sample: bytes) -> str | None:
    """The encoding's codec name; None if none makes text of the bytes."""
    if _is_ebcdic(sample):
        return _EBCDIC
    for encoding in _JAPANESE:
        if _is_japanese(sample, encoding):
            return encoding
    scores = [(_score(sample.decode(encoding, "surrogateescape")), encoding) for encoding in _CANDIDATES]
    best, encoding = max(scores, key=lambda scored: scored[0])
    if best >= _MIN_SCORE:
        return encoding
    non_ascii = sum(byte > _LAST_ASCII for byte in sample)
    if non_ascii <= _FEW_NON_ASCII_SHARE * len(sample):
        return "cp1252"
    return "cp932" if _is_ideographic(sample) else None


def _is_ebcdic(sample: bytes) -> bool:
    if sample.count(_EBCDIC_SPACE) < 0.08 * len(sample) or sample.count(b" ") > 0.01 * len(sample):
        return False
    text = sample.decode(_EBCDIC)
    return len(_PRINTABLE_ASCII.findall(text)) > 0.95 * len(text)


def _is_japanese(sample: bytes, encoding: str) -> bool:
    # The sample may end inside a character.
    for end in (len(sample), len(sample) - 1):
        try:
            runs = "".join(_NON_ASCII_RUN.findall(sample[:end].decode(encoding)))
        except UnicodeError:
            continue
        return len(_KANA.findall(runs)) > _MIN_KANA_SHARE * len(runs)
    return False


def _is_ideographic(sample: bytes) -> bool:
    """Short Japanese text, such as a table of names, may do without kana."""
    try:
        runs = "".join(_NON_ASCII_RUN.findall(sample.decode("cp932")))
    except UnicodeError:
        return False
    return len(_IDEOGRAPH.findall(runs)) == len(runs)


def _score(text: str) -> float:
    """Mean plausibility of the characters outside ASCII; 1 and above is what true text reaches."""
    total, count = 0.0, 0
    for run in _NON_ASCII_RUN.finditer(text):
        before = text[run.start() - 1] if run.start() else " "
        after = text[run.end()] if run.end() < len(text) else " "
        characters = run.group()
        total += _score_run(before, characters, after)
        count += len(characters)
    return total / count if count else 0.0


def _score_run(before: str, run: str, after: str) -> float:
    padded = before + run + after
    total = 0.0
    for left, character, right in zip(padded, padded[1:], padded[2:], strict=False):
        total += _score_character(left, character, right)
    too_long = len(run) > _LONGEST_ACCENTED_RUN and _script(run[0]) == "LATIN"
    return total - len(run) if too_long else total


def _score_character(left: str, character: str, right: str) -> float:
    between_letters = left.isalpha() and right.isalpha()
    if character in _PUNCTUATION:
        misplaced = between_letters and character not in "’·"
        return -1.0 if misplaced else 0.6 if character not in _ORDINALS or left.isalnum() else 0.0
    if not character.isalpha():
        return -2.0 if unicodedata.category(character) in {"Cc", "Cs", "Co"} else -1.5 if between_letters else -0.7
    score = 1.0 if character.islower() else 0.8
    if character in _PORTUGUESE:
        score += 0.5
    for neighbour in (left, right):
        if neighbour.isalpha() and _script(neighbour) != _script(character):
            score -= 2.0
    if left.islower() and character.isupper():
        score -= 1.5
    return score if left.isalpha() or right.isalpha() else score - 0.7


def _script(character: str) -> str:
    return "LATIN" if character.isascii() else unicodedata.name(character, " ").partition(" ")[0]
