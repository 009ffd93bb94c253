"""How large a filter may be."""

from rag_server.domain.errors import InvalidFilter
from rag_server.domain.filter import AnyOf, Comparison, Condition, Filter

MAX_DEPTH = 16
MAX_CONDITIONS = 200


def limited(wanted: Filter) -> Filter:
    """The filter, where it is not too large. Equalities of one field of which any may hold count as one condition.

    :raises InvalidFilter: it is.
    """
    conditions = 0
    waiting = [(wanted, 1)]
    while waiting:
        part, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise InvalidFilter(f"The filter is nested deeper than {MAX_DEPTH} levels.")
        if isinstance(part, Condition) or _is_list_of_values(part):
            conditions += 1
        else:
            waiting += [(inner, depth + 1) for inner in part.parts]
    if conditions > MAX_CONDITIONS:
        raise InvalidFilter(f"The filter has {conditions} conditions: {MAX_CONDITIONS} are allowed.")
    return wanted


def _is_list_of_values(part: Filter) -> bool:
    if not isinstance(part, AnyOf):
        return False
    asked = {
        (inner.field, inner.path) if isinstance(inner, Condition) and inner.comparison is Comparison.EQUAL else None
        for inner in part.parts
    }
    return len(asked) == 1 and None not in asked
