"""What a filter means, as masks over the documents of a collection."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag_server.adapters.postings.collection import CollectionDocuments
from rag_server.adapters.postings.keys import having_one_of
from rag_server.adapters.postings.paths import KEY_FIELDS, Place
from rag_server.adapters.postings.values import Ordinals, Values, is_long
from rag_server.domain.filter import AllOf, AnyOf, Comparison, Condition, Field, Filter, NoneOf, Scalar

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """Documents that a filter may mean, some of whose passages perhaps, and those that it means in any case."""

    may: Mask  # (count,), dead documents included
    must: Mask  # the same object where the two agree

    @property
    def exact(self) -> bool:
        """Whether both are the same."""
        return self.may is self.must


def bounds_of(wanted: Filter, state: CollectionDocuments) -> Bounds:
    """The masks of a filter."""
    match wanted:
        case AllOf(parts):
            return _all([bounds_of(part, state) for part in parts], state.count)
        case AnyOf(parts):
            return _any(_each_of(parts, state), state.count)
        case NoneOf(parts):
            return _not(_any(_each_of(parts, state), state.count))
        case Condition():
            return _of_conditions([wanted], state)


def _each_of(parts: Sequence[Filter], state: CollectionDocuments) -> list[Bounds]:
    """Equalities of one field are looked up together: a list of documents may be long."""
    equalities: dict[Place, list[Condition]] = {}
    bounds = []
    for part in parts:
        if isinstance(part, Condition) and part.comparison is Comparison.EQUAL:
            equalities.setdefault((part.field, *part.path), []).append(part)
        else:
            bounds.append(bounds_of(part, state))
    return [*bounds, *(_of_conditions(conditions, state) for conditions in equalities.values())]


def _of_conditions(conditions: Sequence[Condition], state: CollectionDocuments) -> Bounds:
    """Any of them; there is one, or several that ask for equality of the same field."""
    first = conditions[0]
    if first.field is Field.PAGE:
        return Bounds(np.ones(state.count, np.bool_), np.zeros(state.count, np.bool_))
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
