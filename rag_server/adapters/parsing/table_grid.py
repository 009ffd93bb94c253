"""Lays a table's cells out on its columns, so that each row can be read alone.

A cell that spans rows is repeated in each of them; one that spans columns stands in the first and leaves the others
empty.
"""

from collections.abc import Iterable
from dataclasses import dataclass

# Wider tables are cut short: spans of thousands of columns are made by machines or by malice.
_MAX_COLUMNS = 2_000


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell as the file has it. `continues` says that it belongs to the one above, whatever its text."""

    text: str
    columns: int = 1
    rows: int = 1
    continues: bool = False


class TableGrid:
    """Takes the rows of one table in order."""

    def __init__(self) -> None:
        self._above: dict[int, tuple[str, int]] = {}  # column to the text above and the rows it still covers
        self._last: list[str] = []

    def row(self, cells: Iterable[Cell]) -> list[str]:
        """The texts of one row, one per column."""
        texts: list[str] = []
        for cell in cells:
            self._fill_from_above(texts)
            if len(texts) >= _MAX_COLUMNS:
                break
            column = len(texts)
            text = self._text_above(column) if cell.continues else cell.text
            if cell.rows > 1:
                self._above[column] = (text, cell.rows - 1)
                for spanned in range(column + 1, min(column + cell.columns, _MAX_COLUMNS)):
                    self._above[spanned] = ("", cell.rows - 1)
            texts.append(text)
            texts.extend([""] * min(cell.columns - 1, _MAX_COLUMNS - len(texts)))
        self._fill_from_above(texts)
        self._last = texts
        return texts

    def _fill_from_above(self, texts: list[str]) -> None:
        while (above := self._above.pop(len(texts), None)) is not None:
            text, rows = above
            if rows > 1:
                # Kept under a key that is behind the present column, so that this row does not meet it again.
                self._above[len(texts)] = (text, rows - 1)
            texts.append(text)

    def _text_above(self, column: int) -> str:
        return self._last[column] if column < len(self._last) else ""
