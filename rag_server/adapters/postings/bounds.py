"""What a filter means, as masks over the documents of a collection."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag_server.adapters.postings.collection import CollectionDocuments
from rag_server.adapters.postings.keys import having_one_of
from rag_server.adapters.postings.passages import Passages
from rag_server.adapters.postings.paths import KEY_FIELDS, Place
from rag_server.adapters.postings.values import Ordinals, Values, is_long
from rag_server.domain.filter import AllOf, AnyOf, Comparison, Condition, Field, Filter, NoneOf, Scalar, meets

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """What a filter may mean, and what it means in any case: of documents (all passages of each), or of passages."""

    may: Mask  # (count,), dead documents included; or one for each of the passages
    must: Mask  # the same object where the two agree

    @property
    def exact(self) -> bool:
        """Whether both are the same."""
        return self.may is self.must


def bounds_of(wanted: Filter, state: CollectionDocuments, passages: Passages | None = None) -> Bounds:
    """The masks of a filter: over all documents, or over some passages of them."""
    count = state.count if passages is None else len(passages)
    match wanted:
        case AllOf(parts):
            return _all([bounds_of(part, state, passages) for part in parts], count)
        case AnyOf(parts):
            return _any(_each_of(parts, state, passages), count)
        case NoneOf(parts):
            return _not(_any(_each_of(parts, state, passages), count))
        case Condition():
            return _of_conditions([wanted], state, passages)


def _each_of(parts: Sequence[Filter], state: CollectionDocuments, passages: Passages | None) -> list[Bounds]:
    """Equalities of one field are looked up together: a list of documents may be long."""
    equalities: dict[Place, list[Condition]] = {}
    bounds = []
    for part in parts:
        if isinstance(part, Condition) and part.comparison is Comparison.EQUAL:
            equalities.setdefault((part.field, *part.path), []).append(part)
        else:
            bounds.append(bounds_of(part, state, passages))
    return [*bounds, *(_of_conditions(conditions, state, passages) for conditions in equalities.values())]


def _of_conditions(conditions: Sequence[Condition], state: CollectionDocuments, passages: Passages | None) -> Bounds:
    """Any of them; there is one, or several that ask for equality of the same field."""
    if conditions[0].field is Field.PAGE:
        return _of_pages(conditions, state, passages)
    bounds = _of_documents(conditions, state)
    if passages is None:
        return bounds
    may = bounds.may[passages.ordinals]
    return Bounds(may, may if bounds.exact else bounds.must[passages.ordinals])


def _of_pages(conditions: Sequence[Condition], state: CollectionDocuments, passages: Passages | None) -> Bounds:
    """Of a document that has pages beyond the first some passages may be meant; of others all, or none."""
    if passages is not None:
        met = np.logical_or.reduce([passages.meeting(condition) for condition in conditions])
        return Bounds(met, met)
    first_is_meant = any(meets(condition, 1) for condition in conditions)
    if not len(state.passages):
        mask = np.full(state.count, first_is_meant)
        return Bounds(mask, mask)
    paged = state.passages.paged(state.count)
    return Bounds(paged | first_is_meant, ~paged & first_is_meant)


def _of_documents(conditions: Sequence[Condition], state: CollectionDocuments) -> Bounds:
    first = conditions[0]
    wanted = [condition.value for condition in conditions]
    if first.field in KEY_FIELDS:
        return _of_keys(first, wanted, state)
    return _of_values(first, wanted, state)


def _of_keys(condition: Condition, wanted: Sequence[Scalar], state: CollectionDocuments) -> Bounds:
    keys = state.key_column(KEY_FIELDS.index(condition.field))
    texts = [value for value in wanted if isinstance(value, str)]
    mask = np.zeros(state.count, np.bool_)
    if condition.comparison is Comparison.EQUAL:
        mask[having_one_of(keys, texts)] = True
    elif condition.comparison is Comparison.EXISTS:
        mask[:] = True
        mask[having_one_of(keys, [""])] = False
    elif texts:  # the hashes know of no order
        return Bounds(np.ones(state.count, np.bool_), mask)
    return Bounds(mask, mask)


def _of_values(condition: Condition, wanted: Sequence[Scalar], state: CollectionDocuments) -> Bounds:
    values = state.values.get((condition.field, *condition.path))
    sure = np.zeros(state.count, np.bool_)
    unsure = [state.overflow] if condition.field is Field.METADATA and len(state.overflow) else []
    if values is not None:
        for ordinals in _having(values, condition, wanted, state.count):
            sure[ordinals] = True
        if condition.comparison is not Comparison.EXISTS and _may_be_too_long(condition, wanted):
            unsure.append(values.too_long(state.count))
    if not any(map(len, unsure)):
        return Bounds(sure, sure)
    may = sure.copy()
    may[np.concatenate(unsure)] = True
    return Bounds(may, sure)


def _having(values: Values, condition: Condition, wanted: Sequence[Scalar], count: int) -> list[Ordinals]:
    if condition.comparison is Comparison.EXISTS:
        return values.existing(count)
    if condition.comparison is Comparison.EQUAL:
        return values.equal_to(wanted, count)
    return values.in_order(condition.comparison, wanted[0], count)


def _may_be_too_long(condition: Condition, wanted: Sequence[Scalar]) -> bool:
    """Whether a text that was not kept, because of its length, may meet the condition."""
    texts = [value for value in wanted if isinstance(value, str)]
    return any(is_long(text) for text in texts) if condition.comparison is Comparison.EQUAL else bool(texts)


def _all(parts: Sequence[Bounds], count: int) -> Bounds:
    may = _joined(np.logical_and, [part.may for part in parts], np.ones(count, np.bool_))
    if all(part.exact for part in parts):
        return Bounds(may, may)
    return Bounds(may, _joined(np.logical_and, [part.must for part in parts], np.ones(count, np.bool_)))


def _any(parts: Sequence[Bounds], count: int) -> Bounds:
    may = _joined(np.logical_or, [part.may for part in parts], np.zeros(count, np.bool_))
    if all(part.exact for part in parts):
        return Bounds(may, may)
    return Bounds(may, _joined(np.logical_or, [part.must for part in parts], np.zeros(count, np.bool_)))


def _not(bounds: Bounds) -> Bounds:
    may = ~bounds.must
    return Bounds(may, may) if bounds.exact else Bounds(may, ~bounds.may)


def _joined(join: np.ufunc, masks: Sequence[Mask], start: Mask) -> Mask:
    for mask in masks:
        join(start, mask, out=start)
    return start
