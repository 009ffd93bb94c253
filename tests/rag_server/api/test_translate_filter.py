"""Filters of the contract mean what its comments say."""

from collections.abc import Sequence
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict

from acervo.rag.v1 import filter_pb2 as pb
from rag_server.api.translate_filter import filter_of
from rag_server.domain.errors import InvalidFilter
from rag_server.domain.filter import EVERYTHING, Attributes, matches

ID = "0190c7a2-0000-7000-8000-000000000007"
KNOWN = ("default", ID, "a.txt", "a.txt", "text/plain", "pt", ("a", "b"), 100.0, 200.0, 50.0, None)
DOCUMENT = Attributes(7, *KNOWN, {"year": 2024.0, "who": {"na.me": "Ana"}, "open": True, "none": None})
PAGES = range(3, 6)


def message(**values: Any) -> pb.Filter:
    return ParseDict(values, pb.Filter())


def condition(path: str, operator: str = "UNSPECIFIED", *value: Any) -> dict[str, Sequence[Any]]:
    known = {"path": path, "operator": f"METADATA_OPERATOR_{operator}"}
    return {"metadata": [{**known, **({"value": value[0]} if value else {})}]}


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"media_types": ["image/png", "TEXT/*"]},
        {"languages": ["en", "pt-BR"]},
        {"tags": ["a", "b"]},
        {"documents": [f"collections/default/documents/{ID}"]},
        {"documents": [f"documents/{ID}", ID]},
        {"document_keys": ["b.txt", "a.txt"]},
        {"create_time": {"start": "1970-01-01T00:01:40Z", "end": "1970-01-01T00:01:41Z"}},
        {"update_time": {"start": "1970-01-01T00:01:40Z"}},
        {"created": {}},
        {"created": {"end": "1970-01-01T00:00:50.5Z"}},
        condition("year", "EQUAL", 2024),
        condition("year", "GREATER", 2023.5),
        condition("open", "UNSPECIFIED", True),
        condition("none", "EQUAL", None),
        condition('who."na.me"', "LESS_OR_EQUAL", "Ana"),
        condition("who", "EXISTS"),
        {"pages": {"first": 5}},
        {"pages": {"last": 3}},
        {"pages": {"first": 4, "last": 4}},
        {"pages": {}},
        {"any_of": [{"languages": ["en"]}, {"tags": ["a"]}]},
        {"none_of": [{"languages": ["en"]}, {"tags": ["a", "c"]}]},
        {"tags": ["a"], "languages": ["pt"], "pages": {"first": 1}},
    ],
)
def test_it_means_the_document(values: dict[str, Any]) -> None:
    assert matches(filter_of("", message(**values)), DOCUMENT, PAGES)


@pytest.mark.parametrize(
    "values",
    [
        {"media_types": ["image/*", "application/pdf"]},
        {"tags": ["a", "c"]},
        {"create_time": {"end": "1970-01-01T00:01:40Z"}},
        {"modified": {}},
        {"modified": {"start": "1970-01-01T00:00:00Z"}},
        condition("year", "LESS", 2024),
        condition("year", "EQUAL", "2024"),
        condition("none", "EXISTS"),
        condition("absent", "EQUAL", None),
        {"pages": {"first": 6}},
        {"pages": {"last": 2}},
        {"any_of": [{"languages": ["en"]}, {"tags": ["c"]}]},
        {"none_of": [{}]},
        {"tags": ["a"], "languages": ["en"]},
    ],
)
def test_it_does_not_mean_the_document(values: dict[str, Any]) -> None:
    assert not matches(filter_of("", message(**values)), DOCUMENT, PAGES)


@pytest.mark.parametrize(
    "values",
    [
        condition("a..b", "EXISTS"),
        condition('"a', "EXISTS"),
        condition('"a"b', "EXISTS"),
        condition(".a", "EXISTS"),
        condition("year", "LESS"),
        condition("year", "LESS", True),
        condition("year", "EQUAL", [1]),
        {"media_types": ["t*xt/plain*"]},
        {"pages": {"first": 3, "last": 2}},
        {"tags": [f"t{n}" for n in range(201)]},
    ],
)
def test_it_is_refused_and_the_field_is_named(values: dict[str, Any]) -> None:
    with pytest.raises(InvalidFilter) as refused:
        filter_of("", message(**values))
    assert refused.value.field == "where"


def test_numbers_that_metadata_cannot_hold_are_refused() -> None:
    for number in (float("nan"), float("inf")):
        asked = pb.Filter()
        asked.metadata.add(path="year").value.number_value = number
        with pytest.raises(InvalidFilter):
            filter_of("", asked)


def test_nested_too_deep_is_refused() -> None:
    asked = innermost = pb.Filter()
    for _ in range(20):
        innermost = innermost.none_of.add(tags=["a"])
    with pytest.raises(InvalidFilter):
        filter_of("", asked)


def test_a_text_and_a_message_must_both_hold() -> None:
    assert filter_of(" ", pb.Filter()) == EVERYTHING
    assert matches(filter_of("tags:a", message(tags=["b"])), DOCUMENT, PAGES)
    assert not matches(filter_of("tags:a", message(tags=["c"])), DOCUMENT, PAGES)
    assert not matches(filter_of("tags:c", message(tags=["b"])), DOCUMENT, PAGES)
    with pytest.raises(InvalidFilter) as refused:
        filter_of("tags", message(tags=["b"]))
    assert refused.value.field == "filter"


def test_a_thousand_documents_are_one_condition() -> None:
    asked = message(documents=[*(f"{n:08x}-0000-7000-8000-000000000007" for n in range(999)), ID])
    assert matches(filter_of("", asked), DOCUMENT, PAGES)
