"""What an upload asks for."""

import json

import pytest

from gateway.domain.upload import Upload, checked_metadata, numbered, settled
from serving.errors import InvalidInput


def test_the_key_defaults_to_the_path_of_the_file() -> None:
    made = settled(Upload("", "folder\\a.txt", collection="collections/notes"))
    assert (made.document_key, made.file_name, made.collection) == ("folder/a.txt", "folder/a.txt", "notes")


def test_the_file_name_defaults_to_the_key() -> None:
    made = settled(Upload("https://example.org/a", "", collection=""))
    assert (made.document_key, made.file_name) == ("https://example.org/a", "https:/example.org/a")
    assert made.collection == "default"


def test_an_upload_without_any_name_is_refused() -> None:
    with pytest.raises(InvalidInput):
        settled(Upload("", ""))


def test_metadata_is_kept_in_its_shortest_form() -> None:
    assert checked_metadata('{ "título": [1, null] }') == '{"título":[1,null]}'
    assert checked_metadata("") == "{}"


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "1",
        "{",
        '{"a": Infinity}',
        '{"a": "\\ud800"}',
        json.dumps({str(n): n for n in range(65)}),
        json.dumps({"a": "x" * 65_536}),
        '{"a":' + "[" * 20 + "]" * 20 + "}",
        "[" * 100_000,
    ],
)
def test_metadata_that_is_no_small_json_object_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        checked_metadata(text)


def test_a_file_of_several_has_a_request_id_of_its_own() -> None:
    upload = Upload("a", "a", request_id="mine")
    assert numbered(upload, 2).request_id == "mine:2"
    assert numbered(Upload("a", "a"), 2).request_id == ""
    with pytest.raises(InvalidInput):
        numbered(Upload("a", "a", request_id="x" * 127), 2)
