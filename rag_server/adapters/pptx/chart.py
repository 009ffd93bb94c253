"""The numbers behind a chart: its title, its categories and the values of its series."""

from collections.abc import Iterator
from itertools import islice, zip_longest

from lxml import etree
from pptx.chart.chart import Chart
from pptx.chart.plot import _BasePlot

from rag_server.adapters.parsing.page_writer import PageWriter

_MOST_CATEGORIES = 1_000
_MOST_SERIES = 50
_SIGNIFICANT_DIGITS = 15


def write_chart(chart: Chart, writer: PageWriter) -> None:
    """Write a chart as a table with one row per category. One of a kind that is not known says its title only."""
    if chart.has_title and chart.chart_title.has_text_frame:
        writer.paragraph(chart.chart_title.text_frame.text)
    try:
        plots = list(chart.plots)
    except (ValueError, KeyError, etree.LxmlError):  # what the library says of charts that it does not know
        return
    for plot in plots:
        for index, row in enumerate(_rows(plot)):
            writer.row(row, first=index == 0)
        writer.end_table()


def _rows(plot: _BasePlot) -> Iterator[list[str]]:
    series = list(islice(plot.series, _MOST_SERIES))
    categories = [str(category) for category in islice(plot.categories, _MOST_CATEGORIES)]
    values = [list(islice(each.values, _MOST_CATEGORIES)) for each in series]
    if any(categories) or any(values):
        yield ["", *(each.name for each in series)]
        for category, *row in zip_longest(categories, *values):
            yield [category or "", *map(_readable, row)]


def _readable(value: float | None) -> str:
    return "" if value is None else f"{value:.{_SIGNIFICANT_DIGITS}g}"
