"""Texts as they are sent, and the file in which they go on."""

import json

import pytest

from gateway.domain.texts import MAX_TEXTS_BYTES, SentText, as_lines, settled
from serving.errors import InvalidInput


def test_every_text_is_a_line_that_says_all_of_it() -> None:
    sent = SentText("k", "two\nlines\u2028ção", "T", "text/markdown", '{"year": 1}', ("x",))
    (line,) = as_lines(settled([sent])).splitlines()
    assert json.loads(line) == {
        "key": "k",
        "text": "two\nlines\u2028ção",
        "title": "T",
        "media_type": "text/markdown",
        "metadata": {"year": 1},
        "tags": ["x"],
    }


def test_a_key_that_stands_twice_is_refused_however_it_is_written() -> None:
    with pytest.raises(InvalidInput):
        settled([SentText("a", "one"), SentText(" a\u200e", "two")])


def test_too_much_together_is_refused() -> None:
    with pytest.raises(InvalidInput):
        as_lines([SentText("a", "x" * MAX_TEXTS_BYTES)])


def test_metadata_is_checked_as_that_of_files() -> None:
    with pytest.raises(InvalidInput):
        settled([SentText("a", "one", metadata_json="[1]")])
