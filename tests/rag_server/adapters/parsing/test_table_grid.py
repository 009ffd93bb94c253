from hypothesis import given
from hypothesis import strategies as st

from rag_server.adapters.parsing.table_grid import Cell, TableGrid


def test_a_cell_over_several_rows_is_repeated_in_each() -> None:
    grid = TableGrid()
    assert grid.row([Cell("2025", rows=3), Cell("Q1", rows=2), Cell("January")]) == ["2025", "Q1", "January"]
    assert grid.row([Cell("February")]) == ["2025", "Q1", "February"]
    assert grid.row([Cell("Q2"), Cell("April")]) == ["2025", "Q2", "April"]
    assert grid.row([Cell("2026"), Cell("Q1"), Cell("July")]) == ["2026", "Q1", "July"]


def test_a_cell_over_several_columns_leaves_the_others_empty() -> None:
    grid = TableGrid()
    assert grid.row([Cell("both", columns=2), Cell("c")]) == ["both", "", "c"]


def test_a_cell_that_continues_takes_the_text_above_it() -> None:
    grid = TableGrid()
    grid.row([Cell("a"), Cell("b")])
    assert grid.row([Cell("", continues=True), Cell("c")]) == ["a", "c"]


@given(st.lists(st.lists(st.builds(Cell, st.text(max_size=3), st.integers(1, 10**6), st.integers(1, 10**6)))))
def test_absurd_spans_cost_little(rows: list[list[Cell]]) -> None:
    grid = TableGrid()
    for row in rows:
        assert len(grid.row(row)) <= 4_000
