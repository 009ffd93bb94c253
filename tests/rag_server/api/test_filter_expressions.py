"""What a written filter means, and why one is refused."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_server.api.filter_expressions import parse_filter
from rag_server.domain.errors import InvalidFilter
from rag_server.domain.filter import EVERYTHING, Attributes, matches

DOCUMENT = Attributes(
    version_id=7,
    collection="default",
    document_id="0190c7a2-0000-7000-8000-000000000007",
    document_key="atas/2024/a.txt",
    file_name="a.txt",
    media_type="text/plain",
    language="pt",
    tags=("ata", "obra pública"),
    create_time=datetime(2024, 5, 31, 12, tzinfo=UTC).timestamp(),
    update_time=datetime(2024, 6, 1, tzinfo=UTC).timestamp(),
    created=datetime(2023, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp(),
    modified=None,
    metadata={
        "year": 2024.0, "open": True, "nothing": None, "empty": "", "who": {"name": "Ana \"A\" 'x' \\", "a.b": "c"},
        "list": ["a", 1.0], "date": "2024-05-31", "some-key": "é",
    },
)  # fmt: skip
PAGES = range(3, 6)
NO_PATTERN = (
    "Character 1: The field file_name takes an asterisk alone, behind a colon, for any value; text with one stands in "
    "quotes."
)
NO_TIME = (
    "Character 1: The field created takes a time: 2024, 2024-05, 2024-05-31 or one with a zone, 2024-05-31T08:00:00Z."
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  \n ",
        'media_type = "text/plain"',
        "media_type = Text/Plain",
        "media_type = text/*",
        "media_type: text/*",
        "media_type != application/*",
        "language = pt",
        "language = PT-br",
        'tags:"ata"',
        "tag = ata",
        "tags:ata tags:'obra pública'",
        "tags:*",
        "tags != outra",
        "NOT tags:outra",
        "-tags:outra",
        "document = 0190c7a2-0000-7000-8000-000000000007",
        'document = "collections/default/documents/0190c7a2-0000-7000-8000-000000000007"',
        "document_key = atas/2024/a.txt",
        "key = atas/2024/a.txt AND file_name = a.txt",
        "create_time = 2024",
        "create_time = 2024-05",
        "create_time = 2024-05-31",
        'create_time = "2024-05-31"',
        "create_time = 2024-05-31T12:00:00Z",
        "create_time = 2024-05-31T09:00:00-03:00",
        "create_time <= 2024-05-31",
        "create_time < 2024-06",
        "create_time > 2023",
        "create_time >= 2024-05-31",
        "create_time != 2025",
        "update_time > 2024-05",
        "created < 2024 AND created >= 2023-12",
        "created:*",
        "NOT modified:*",
        "modified != 2024",
        "page = 3",
        "page >= 5 AND page < 4",
        "NOT page = 6",
        "metadata.year = 2024",
        "metadata.year >= 2.0e3",
        "metadata.year > -5",
        "metadata.open = true",
        "metadata.open != false",
        "metadata.nothing = null",
        "-metadata.nothing:*",
        "-metadata.empty:*",
        "metadata.none != 1",
        "metadata.who:*",
        r'metadata.who.name = "Ana \"A\" \'x\' \\"',
        r"metadata.who.name = 'Ana \"A\" \'x\' \\'",
        'metadata.who."a.b" = c',
        'metadata.list:"a" AND metadata.list:1',
        "metadata.date >= 2024-05 AND metadata.date < 2024-06",
        r'metadata.some-key = "\u00e9"',
        "language = en OR tags:ata",
        # OR binds tighter: (pt OR nothing) AND outra would not be, were it the other way round
        "NOT (language = pt OR language = en AND tags:outra)",
        "(language = en AND tags:outra) OR language = pt",
    ],
)
def test_it_means_the_document(text: str) -> None:
    assert matches(parse_filter(text), DOCUMENT, PAGES)


@pytest.mark.parametrize(
    "text",
    [
        "media_type = text/html",
        "media_type != text/*",
        "language = en",
        "tags:Ata",
        "tags != ata",
        "tags:ata tags:outra",
        "create_time > 2024-05-31",
        "create_time < 2024-05-31",
        "create_time >= 2024-06",
        "create_time <= 2024-04",
        "create_time = 2024-05-31T12:00:01Z",
        "created = 2024",
        "modified <= 2100",
        "page > 5",
        "page < 3",
        "metadata.year = '2024'",
        "metadata.open = 1",
        "metadata.nothing = false",
        "metadata.none = null",
        "metadata.who = null",
        "metadata.year.month = 1",
        "language = pt OR language = en AND tags:outra",
    ],
)
def test_it_does_not_mean_the_document(text: str) -> None:
    assert not matches(parse_filter(text), DOCUMENT, PAGES)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("licitação", "Character 10: a comparison: =, !=, <, <=, >, >= or : is expected."),
        ('"a phrase"', "Character 1: a field, NOT or an opening parenthesis is expected."),
        ("tags =", "Character 7: a value is expected."),
        ("tags = a )", "Character 10: AND, OR or the end is expected."),
        ("(tags = a", "Character 10: AND, OR or the end is expected."),
        ("tags = a OR", "Character 12: a field, NOT or an opening parenthesis is expected."),
        ('tags = "a', "Character 8: a value is expected."),
        ("tags = a AND lingua = pt", "Character 14: There is no field lingua; the nearest is language."),
        ("tags.x = a", "Character 1: The field tags has no parts."),
        ("metadata = a", "Character 1: The field metadata needs a path, such as metadata.author."),
        ("tags > a", "Character 1: The field tags has no order: use =, != or :."),
        ("metadata.a > true", "Character 1: Truth values and null have no order: use =, != or :."),
        ("metadata.a = 1e999", "Character 1: A number in a filter is finite."),
        ("page = first", "Character 1: The field page takes a whole number."),
        ("page = 1.5", "Character 1: The field page takes a whole number."),
        ("file_name = *.pdf", NO_PATTERN),
        ("media_type = */pdf", "Character 1: An asterisk in a media type stands alone behind the slash: text/*."),
        ("created = yesterday", NO_TIME),
        ("created = 2024-02-30", NO_TIME),
        ("tags:a " * 201, "The filter has 201 conditions: 200 are allowed."),
        ("-(tags:a " * 17 + "tags:b" + ")" * 17, "The filter is nested deeper than 16 levels."),
        ("tags:" + "é" * 4_096, "The filter is longer than 8192 bytes."),
    ],
)
def test_it_is_refused_with_the_place_and_what_is_expected(text: str, why: str) -> None:
    with pytest.raises(InvalidFilter) as refused:
        parse_filter(text)
    assert refused.value.message == why
    assert refused.value.reason == "INVALID_FILTER"


def test_what_the_user_wrote_is_not_told_beyond_a_field() -> None:
    for text in (
        "segredo segredo",
        "tags = (segredo)",
        "created = segredo",
        'page = "segredo"',
        "metadata.x = a:segredo",
    ):
        with pytest.raises(InvalidFilter) as refused:
            parse_filter(text)
        assert "segredo" not in refused.value.message


def test_many_values_of_one_field_count_as_one_condition() -> None:
    keys = " OR ".join(f"key={n}" for n in range(500))
    assert matches(parse_filter(f"{keys} OR key='atas/2024/a.txt'"), DOCUMENT, PAGES)


def test_parentheses_alone_make_no_depth() -> None:
    assert parse_filter("(" * 4_000 + "tags:ata" + ")" * 4_000) == parse_filter("tags:ata")
    assert parse_filter("   ") == EVERYTHING


_PIECES = st.sampled_from(
    [
        "tags",
        "metadata",
        ".",
        "a",
        '"b"',
        "=",
        ":",
        ">=",
        "AND",
        "OR",
        "NOT",
        "-",
        "(",
        ")",
        "2024",
        "*",
        " ",
        "'",
        "\\",
    ]
)


@given(st.lists(_PIECES, max_size=12).map("".join) | st.text(max_size=30))
@settings(max_examples=400, deadline=None)
def test_any_text_is_understood_or_refused(text: str) -> None:
    try:
        wanted = parse_filter(text)
    except InvalidFilter:
        return
    assert matches(wanted, DOCUMENT, PAGES) in (True, False)
