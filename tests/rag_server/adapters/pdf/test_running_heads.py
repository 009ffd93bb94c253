from rag_server.adapters.pdf.rows import Cell, Row
from rag_server.adapters.pdf.running_heads import RawPage, without_running_heads

HEIGHT = 800.0


def raw_page(number: int, *rows: tuple[float, str]) -> RawPage:
    return RawPage(number, [Row(text, 50, y, 300, y + 10, 10, index) for index, (y, text) in enumerate(rows)], HEIGHT)


def texts_without_heads(pages: list[RawPage]) -> list[list[str]]:
    return [[row.text for row in page.rows] for page in without_running_heads(pages, len(pages))]


def test_heads_and_page_numbers_go_and_the_text_stays() -> None:
    pages = [raw_page(n, (20, "Manual"), (400, f"texto {n * 7}"), (780, f"Página {n} de 20")) for n in range(1, 21)]
    assert texts_without_heads(pages) == [[f"texto {n * 7}"] for n in range(1, 21)]


def test_heads_of_left_and_right_pages_differ() -> None:
    pages = [raw_page(n, (20, "Esquerda" if n % 2 else f"Direita {n}"), (400, f"texto {n * 7}")) for n in range(1, 13)]
    assert texts_without_heads(pages) == [[f"texto {n * 7}"] for n in range(1, 13)]


def test_what_repeats_in_the_middle_of_pages_stays() -> None:
    pages = [raw_page(n, (400, "Total")) for n in range(1, 10)]
    assert texts_without_heads(pages) == [["Total"]] * 9


def test_numbers_at_the_edge_that_do_not_count_pages_stay() -> None:
    amounts = [120, 77, 903, 15, 408, 66]
    pages = [raw_page(n, (400, "texto"), (780, f"Saldo {amount}")) for n, amount in enumerate(amounts, start=1)]
    assert [texts[-1] for texts in texts_without_heads(pages)] == [f"Saldo {amount}" for amount in amounts]


def test_two_pages_are_too_few_to_tell() -> None:
    pages = [raw_page(n, (20, "Carta"), (400, "texto")) for n in (1, 2)]
    assert texts_without_heads(pages) == [["Carta", "texto"]] * 2


def test_a_page_that_is_nothing_but_repetition_stays() -> None:
    pages = [raw_page(n, (20, "Folha em branco")) for n in range(1, 6)]
    assert texts_without_heads(pages) == [["Folha em branco"]] * 5


def test_a_foot_that_names_the_section_beside_what_never_changes_goes() -> None:
    def page(number: int) -> RawPage:
        foot = f"Lei 13.709 de 2018 Anexo {number // 3} Cat. 28171"
        return raw_page(number, (400, f"texto {number * 7}"), (780, foot))

    pages = [page(n) for n in range(1, 9)]
    assert texts_without_heads(pages) == [[f"texto {n * 7}"] for n in range(1, 9)]


def test_a_foot_in_parts_goes_with_the_parts_that_change() -> None:
    def page(number: int, section: str) -> RawPage:
        parts = (section, "Manual da Receita Interna", "Catálogo 28171E")
        cells = tuple(Cell(part, 50 + 150 * index, 150 + 150 * index) for index, part in enumerate(parts))
        body = Row(f"texto {number * 7}", 50, 400, 300, 410, 10, 0)
        return RawPage(number, [body, Row(" | ".join(parts), 50, 780, 500, 790, 10, 1, cells)], HEIGHT)

    pages = [page(n, "Seção" + " a" * n) for n in range(1, 9)]
    assert texts_without_heads(pages) == [[f"texto {n * 7}"] for n in range(1, 9)]
