"""Documents and filters at random, from few values, so that they often meet."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from rag_server.domain.filter import AllOf, AnyOf, Attributes, Comparison, Condition, Field, Filter, Json, NoneOf

LONG = "x" * 600
PAGES = 5
NAMES = ("a", "b", "a.b", "ç")
TEXTS = ("", "a", "b", "açaí", "\ud800", "z" * 200, LONG, LONG + "y")
NUMBERS = (-1.0, 0.0, 1.0, 2.5, 1e300)
TIMES = (0.0, 1.0, 86_400.0, 1_700_000_000.5)
SCALARS = st.one_of(st.sampled_from(TEXTS), st.sampled_from(NUMBERS), st.booleans(), st.none())


def _deep(levels: int) -> Json:
    return {"a": _deep(levels - 1)} if levels else "a"


_JSON: st.SearchStrategy[Json] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
)
METADATA: st.SearchStrategy[Mapping[str, Json]] = st.one_of(
    st.dictionaries(st.sampled_from(NAMES), _JSON, max_size=4),
    st.sampled_from([{"a": _deep(8)}, {f"n{n}": "a" for n in range(300)}, {"b": ["a"] * 1_100}]),
)
_VALUES: Mapping[Field, st.SearchStrategy[Any]] = {
    Field.MEDIA_TYPE: st.sampled_from(["text/plain", "application/pdf", "text/html"]),
    Field.LANGUAGE: st.sampled_from(["pt", "en", ""]),
    Field.TAGS: st.sampled_from(TEXTS),
    Field.DOCUMENT: st.sampled_from([f"d{n}" for n in range(9)]),
    Field.DOCUMENT_KEY: st.sampled_from(["k0", "k1", "k2"]),
    Field.FILE_NAME: st.sampled_from(["f0", "f1", ""]),
    **dict.fromkeys((Field.CREATE_TIME, Field.UPDATE_TIME), st.sampled_from(TIMES)),
    **dict.fromkeys((Field.CREATED, Field.MODIFIED), st.sampled_from(TIMES) | st.none()),
    Field.PAGE: st.integers(0, PAGES + 1).map(float),
}
_PATHS = st.lists(st.sampled_from((*NAMES, "n299")), min_size=1, max_size=3).map(tuple) | st.just(("a",) * 9)


def attributes(version_id: int, document_id: str, collection: str) -> st.SearchStrategy[Attributes]:
    """What filters can tell of a document."""
    values = {str(field): strategy for field, strategy in _VALUES.items() if field not in (Field.DOCUMENT, Field.PAGE)}
    values["tags"] = st.lists(st.sampled_from(TEXTS), max_size=3).map(tuple)
    return st.builds(
        Attributes,
        version_id=st.just(version_id),
        collection=st.just(collection),
        document_id=st.just(document_id),
        metadata=METADATA,
        **values,
    )


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    """Now and then with a value of a type that the field never has."""
    field = draw(st.sampled_from(Field))
    metadata = field is Field.METADATA
    value = draw(SCALARS if metadata or draw(st.integers(0, 9)) == 0 else _VALUES[field])
    return Condition(field, draw(st.sampled_from(Comparison)), value, draw(_PATHS) if metadata else ())


def _joined(parts: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
    several = st.lists(parts, max_size=4).map(tuple)
    return st.one_of(st.builds(AllOf, several), st.builds(AnyOf, several), st.builds(NoneOf, several))


FILTERS: st.SearchStrategy[Filter] = st.recursive(conditions(), _joined, max_leaves=8)
