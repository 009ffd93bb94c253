"""Forms, piece by piece."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.multipart import Event, Field, FileBegin, FileData, FormParser, is_form
from serving.errors import InvalidInput
from tests.gateway.world import FORM_TYPE, form


def events_of(body: bytes, size: int) -> tuple[list[Event], bool]:
    parser = FormParser(FORM_TYPE)
    events = [event for start in range(0, len(body), size) for event in parser.feed(body[start : start + size])]
    return events, parser.complete


def joined(events: list[Event]) -> list[Event]:
    """The events with the data of each file in one piece."""
    whole: list[Event] = []
    for event in events:
        if isinstance(event, FileData) and whole and isinstance(whole[-1], FileData):
            whole[-1] = FileData(whole[-1].data + event.data)
        else:
            whole.append(event)
    return whole


@given(st.binary(min_size=1, max_size=400), st.integers(1, 64))
def test_a_form_means_the_same_however_it_is_cut(content: bytes, size: int) -> None:
    events, complete = events_of(form(("tags", None, "é".encode()), ("f", "ação.txt", content)), size)
    if b"\r\n------form" not in content:
        assert complete
        assert joined(events) == [Field("tags", "é"), FileBegin("ação.txt", ""), FileData(content)]


def test_without_the_closing_boundary_a_form_is_not_complete() -> None:
    assert not events_of(form(("f", "a", b"x"), close=False), 10)[1]


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=", f"multipart/form-data; boundary={'x' * 999}"],
)
def test_a_form_without_a_usable_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(InvalidInput):
        FormParser(content_type)


def test_a_header_that_is_too_long_is_refused() -> None:
    with pytest.raises(InvalidInput):
        events_of(form(("f", "x" * 5_000, b"x")), 1_000)


def test_the_type_of_a_form_is_recognised() -> None:
    assert is_form('Multipart/Form-Data; boundary="x"')
    assert not is_form("text/plain")
    assert not is_form("")
