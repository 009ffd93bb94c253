import json
from pathlib import Path

import pytest

from rag_server.adapters.parsing.refusals import Refused
from rag_server.domain.extraction import ExtractionLimits
from tests.fakes.documents import read


def write(path: Path, value: object) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def test_each_item_is_a_page_under_its_title(tmp_path: Path) -> None:
    items = [{"text": "um", "metadata": {"title": "Primeiro"}}, {"text": "dois"}, "três"]
    reading, pages = read(write(tmp_path / "a.json", items))
    assert reading.pages_total == 3
    assert [page.text for page in pages] == ["Primeiro\n\num", "dois", "três"]
    assert pages[0].headings[0].text == "Primeiro"


def test_a_single_item_gives_the_document_its_properties(tmp_path: Path) -> None:
    item = {"text": "corpo", "metadata": {"title": "T", "author": "Ana", "date": "2024-03-05", "other": 1}}
    reading, _ = read(write(tmp_path / "a.json", item))
    assert reading.properties == {"title": "T", "author": "Ana", "created": "2024-03-05"}


def test_json_lines_may_be_strings_and_a_broken_line_costs_itself_only(tmp_path: Path) -> None:
    lines = '{"text": "um"}\n"dois"\n\n{"text": \n{"content": "quatro"}\n'
    assert [(page.number, page.text) for page in read(write(tmp_path / "a.jsonl", lines))[1]] == [
        (1, "um"),
        (2, "dois"),
        (4, "quatro"),
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", '{"name": "x", "size": 3}'),
        ("a.json", "[1, 2]"),
        ("a.json", "not JSON at all"),
        ("a.json", "[" * 100_000),
        ("a.jsonl", '{"name": "x"}\n{"name": "y"}'),
    ],
)
def test_other_json_is_plain_text(tmp_path: Path, name: str, text: str) -> None:
    assert read(write(tmp_path / name, text))[1][0].text == text


def test_more_items_than_pages_allowed_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        read(write(tmp_path / "a.jsonl", '"x"\n' * 11), limits=ExtractionLimits(max_pages=10))
    assert refused.value.detail["which"] == "max_pages"
