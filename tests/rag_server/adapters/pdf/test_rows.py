from rag_server.adapters.pdf.engine import Line
from rag_server.adapters.pdf.rows import rows_of


def line(text: str, x0: float, x1: float, y: float = 100) -> Line:
    return Line(text, x0, y, x1, y + 12, 10)


def test_pieces_of_a_line_are_put_together_by_the_space_between_them() -> None:
    rows = rows_of([[line("Artigo", 50, 80), line("1", 80.5, 85), line("vale", 89, 110), line("12,50", 200, 230)]])
    assert [row.text for row in rows] == ["Artigo1 vale 12,50"]
    assert [cell.text for cell in rows[0].cells] == ["Artigo1 vale", "12,50"]


def test_lines_of_a_script_that_runs_left_go_on_to_the_left() -> None:
    rows = rows_of([[line("البرمجة بلغة Python", 300, 500), line("من الأدوات", 200, 299)]])
    assert [row.text for row in rows] == ["البرمجة بلغة Python من الأدوات"]


def test_what_stands_to_the_left_in_other_scripts_is_a_row_of_its_own() -> None:
    rows = rows_of([[line("right", 300, 500), line("left", 200, 299)]])
    assert [row.text for row in rows] == ["right", "left"]
