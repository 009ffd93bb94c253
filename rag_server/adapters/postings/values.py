"""The values of one field: postings (document, value) by type, in the order in which documents came."""

import operator
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from rag_server.adapters.postings.buffer import Array, Buffer
from rag_server.domain.filter import Comparison, Json, Scalar

Ordinals = NDArray[np.int32]

LONGEST_TEXT_BYTES = 512
LONGEST_CHARACTER_BYTES = 4
# What is neither a text nor a number.
NULL, FALSE, TRUE, COMPOUND, LONG_TEXT = range(5)
_CODES = {None: NULL, False: FALSE, True: TRUE}

_COMPARE: Mapping[Comparison, Callable[[Any, Any], Any]] = {
    Comparison.LESS: operator.lt,
    Comparison.LESS_OR_EQUAL: operator.le,
    Comparison.GREATER: operator.gt,
    Comparison.GREATER_OR_EQUAL: operator.ge,
}


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """All postings of one field, those of each type ascending by ordinal."""

    text_ordinals: Ordinals
    codes: Array  # int32: places in the vocabulary
    number_ordinals: Ordinals
    numbers: Array  # float64
    other_ordinals: Ordinals
    others: Array  # uint8: the constants above
    vocabulary: list[str]


class Values:
    """Postings of one field, of one collection. A document has an ordinal: 0, 1, 2 … as they came.

    Of texts over LONGEST_TEXT_BYTES only that they are there is kept: they equal no shorter text; how they compare with
    others is not known here.
    """

    __slots__ = ("_code_of", "_texts", "numbers", "others", "texts")

    def __init__(self, texts: Buffer, numbers: Buffer, others: Buffer, vocabulary: list[str]) -> None:
        self.texts = texts  # ordinal, code: the place of the text in the vocabulary
        self.numbers = numbers  # ordinal, float64
        self.others = others  # ordinal, one of the constants above
        self._texts = vocabulary  # only ever appended to
        self._code_of = dict(zip(vocabulary, range(len(vocabulary)), strict=True))

    def __len__(self) -> int:
        return len(self.texts) + len(self.numbers) + len(self.others)

    def put(self, ordinal: int, value: Json) -> None:
        """Add a value of a document; the same one twice is harmless."""
        if isinstance(value, str):
            self._put_text(ordinal, value)
        elif isinstance(value, bool) or value is None:
            self.others.append(ordinal, _CODES[value])
        elif isinstance(value, int | float):
            self.numbers.append(ordinal, value)
        else:
            self.others.append(ordinal, COMPOUND)

    def _put_text(self, ordinal: int, text: str) -> None:
        if is_long(text):
            self.others.append(ordinal, LONG_TEXT)
            return
        code = self._code_of.get(text)
        if code is None:
            self._texts.append(text)
            code = self._code_of[text] = len(self._texts) - 1
        self.texts.append(ordinal, code)

    def vocabulary(self) -> list[str]:
        """The texts so far, by code."""
        return list(islice(self._texts, len(self._texts)))

    def equal_to(self, wanted: Sequence[Scalar], count: int) -> list[Ordinals]:
        """Of the first `count` documents those that have one of these values, in no order, some perhaps twice."""
        codes = {self._code_of[value] for value in wanted if isinstance(value, str) and value in self._code_of}
        others = {_CODES[value] for value in wanted if isinstance(value, bool) or value is None}
        numbers = {value for value in wanted if isinstance(value, int | float) and not isinstance(value, bool)}
        return [
            _having_one_of(self.texts, codes, count),
            _having_one_of(self.numbers, numbers, count),
            _having_one_of(self.others, others, count),
        ]

    def in_order(self, comparison: Comparison, wanted: Scalar, count: int) -> list[Ordinals]:
        """Of the first `count` documents those that have a value which is less, greater … than this one."""
        compare = _COMPARE[comparison]
        if isinstance(wanted, bool) or wanted is None:
            return []
        if isinstance(wanted, str):
            ordinals, codes = _read(self.texts, count)
            meeting = [compare(text, wanted) for text in self.vocabulary()]
            return [_chosen(ordinals, np.array(meeting, np.bool_)[codes])]
        ordinals, numbers = _read(self.numbers, count)
        return [_chosen(ordinals, compare(numbers, wanted))]

    def existing(self, count: int) -> list[Ordinals]:
        """Of the first `count` documents those that have anything but null and the empty text."""
        text_ordinals, codes = _read(self.texts, count)
        other_ordinals, others = _read(self.others, count)
        return [
            text_ordinals[codes != self._code_of.get("", -1)],
            _read(self.numbers, count)[0],
            other_ordinals[others != NULL],
        ]

    def counts(self, counted: NDArray[np.bool_]) -> list[tuple[str, int]]:
        """How many of the first documents, those that are marked, have each text; only texts that any has."""
        ordinals, codes = _read(self.texts, len(counted))
        per_code = np.bincount(codes[counted[ordinals]])
        return [(self._texts[code], int(per_code[code])) for code in np.flatnonzero(per_code).tolist()]

    def entries(self, count: int) -> Entries:
        """All postings of the first `count` documents."""
        texts, numbers, others = (_read(buffer, count) for buffer in (self.texts, self.numbers, self.others))
        return Entries(*texts, *numbers, *others, self.vocabulary())

    def too_long(self, count: int) -> Ordinals:
        """Of the first `count` documents those that have a text which was not kept."""
        return _having_one_of(self.others, {LONG_TEXT}, count)


def values_of(entries: Entries) -> Values:
    """Postings that are there already."""
    return Values(
        Buffer((entries.text_ordinals, entries.codes)),
        Buffer((entries.number_ordinals, entries.numbers)),
        Buffer((entries.other_ordinals, entries.others)),
        entries.vocabulary,
    )


def empty_values() -> Values:
    """Of a field that no document has yet."""
    none = np.empty(0, np.int32)
    return values_of(Entries(none, none, none, np.empty(0, np.float64), none, np.empty(0, np.uint8), []))


def is_long(text: str) -> bool:
    """Whether the text is too long to be kept."""
    if len(text) * LONGEST_CHARACTER_BYTES <= LONGEST_TEXT_BYTES:
        return False
    return len(text.encode("utf-8", "surrogatepass")) > LONGEST_TEXT_BYTES


def _read(buffer: Buffer, count: int) -> tuple[Ordinals, Array]:
    """The entries of the first `count` documents: their ordinals, which ascend, and values."""
    ordinals, values = buffer.read()
    end = int(np.searchsorted(ordinals, count))
    return cast("Ordinals", ordinals[:end]), values[:end]


def _having_one_of(buffer: Buffer, wanted: AbstractSet[float], count: int) -> Ordinals:
    if not wanted:
        return np.empty(0, np.int32)
    ordinals, values = _read(buffer, count)
    chosen: NDArray[np.bool_]
    chosen = np.isin(values, np.array(sorted(wanted))) if len(wanted) > 1 else values == next(iter(wanted))
    return _chosen(ordinals, chosen)


def _chosen(ordinals: Ordinals, chosen: NDArray[np.bool_]) -> Ordinals:
    return ordinals[np.flatnonzero(chosen)]  # several times as fast as by the mask itself


def of_living(values: Values, alive: NDArray[np.bool_], renumbered: Ordinals) -> Values:
    """The postings of documents that are alive, under their new ordinals, with the texts that they still have."""
    old = values.entries(len(alive))
    of_texts, of_numbers, of_others = (
        alive[each] for each in (old.text_ordinals, old.number_ordinals, old.other_ordinals)
    )
    used, codes = np.unique(old.codes[of_texts], return_inverse=True)
    living = Entries(
        renumbered[old.text_ordinals[of_texts]],
        codes.astype(np.int32),
        renumbered[old.number_ordinals[of_numbers]],
        old.numbers[of_numbers],
        renumbered[old.other_ordinals[of_others]],
        old.others[of_others],
        [old.vocabulary[code] for code in used.tolist()],
    )
    return values_of(living)
