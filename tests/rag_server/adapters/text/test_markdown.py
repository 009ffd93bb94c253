from pathlib import Path

from tests.fakes.documents import read

MARKDOWN = """---
title: "O manual"
author: Ana
lang: pt-BR
tags: [a, b]
---
# Primeiro ##

Texto com *ênfase*.
Segunda linha.

Segundo
-------

```python
# not a heading
x = 1

y = 2
```

- item
<!-- hidden -->
| a | b |
|---|---|
"""


def test_headings_are_told_apart_and_the_rest_stays_as_written(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text(MARKDOWN, encoding="utf-8")
    reading, pages = read(path)
    assert reading.properties == {"title": "O manual", "author": "Ana", "language": "pt-BR"}
    assert [(heading.level, heading.text) for heading in pages[0].headings] == [(1, "Primeiro"), (2, "Segundo")]
    assert "Texto com *ênfase*.\nSegunda linha." in pages[0].text
    assert "# not a heading\nx = 1\n\ny = 2" in pages[0].text
    assert "hidden" not in pages[0].text
    assert "O manual" not in pages[0].text


def test_a_rule_between_paragraphs_makes_no_heading(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("uma\nduas\n---\n\ntrês\n", encoding="utf-8")
    assert read(path)[1][0].headings == ()


def test_a_table_keeps_its_form_and_names_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("antes\n\n| nome | valor |\n|:---|---:|\n| Ana | 1 |\n| Bia | 2 |\n\ndepois", encoding="utf-8")
    page = read(path)[1][0]
    assert page.text == "antes\n\n| nome | valor |\n|:---|---:|\n| Ana | 1 |\n| Bia | 2 |\n\ndepois"
    assert [(table.header, page.text[table.char_start : table.char_end]) for table in page.tables] == [
        ("| nome | valor |", "| Ana | 1 |\n| Bia | 2 |")
    ]
