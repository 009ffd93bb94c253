import io

from rag_server.adapters.openpyxl.merged_cells import MergedRange, MergedRows, read_ranges


def test_ranges_are_found_wherever_the_pieces_of_the_file_end() -> None:
    filling = b"<c/>" * 262_140
    sheet = b"<sheet>" + filling + b'<mergeCells count="3"><mergeCell ref="B2:C9"/><mergeCell ref="A1:A3"/>'
    assert read_ranges(io.BytesIO(sheet + b'<mergeCell ref="D1:F1"/><mergeCell ref="nonsense"/></mergeCells>')) == [
        MergedRange(1, 3, 1),
        MergedRange(2, 9, 2),
    ]


def test_only_empty_cells_of_rows_that_hold_something_are_filled() -> None:
    merged = MergedRows([MergedRange(1, 3, 1)])
    rows = [["a", "1"], ["", ""], ["own", "2"], ["", "3"]]
    for number, row in enumerate(rows, start=1):
        merged.fill(number, row)
    assert rows == [["a", "1"], ["", ""], ["own", "2"], ["", "3"]]
    again = MergedRows([MergedRange(1, 3, 1)])
    more = [["a", "1"], ["", "2"], ["", "3"], ["", "4"]]
    for number, row in enumerate(more, start=1):
        again.fill(number, row)
    assert more == [["a", "1"], ["a", "2"], ["a", "3"], ["", "4"]]
