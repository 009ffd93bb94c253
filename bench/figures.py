"""Figures, budgets, and the table that shows them."""

import json
import math
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Budget:
    """The most, or the least, that a figure may be."""

    limit: float
    at_least: bool = False

    def met_by(self, value: float) -> bool:
        """Whether the value keeps within it."""
        return value >= self.limit if self.at_least else value <= self.limit

    def text(self) -> str:
        """For the table."""
        return f"{'≥' if self.at_least else '≤'} {self.limit:g}"


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value. `name` is its key in the JSON; a figure without a budget is told for information."""

    name: str
    title: str
    value: float
    unit: str = ""
    budget: Budget | None = None

    @property
    def met(self) -> bool | None:
        """Whether the budget is kept; None without one."""
        return None if self.budget is None else self.budget.met_by(self.value)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def middle(values: Sequence[float]) -> float:
    """The median."""
    return float(median(values))


def print_table(figures_of: dict[str, list[Figure]]) -> None:
    """One table for all models."""
    table = Table(title=f"Acervo, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    for heading in ("model", "figure", "value", "budget", "met?"):
        table.add_column(heading, justify="right" if heading in ("value", "budget") else "left")
    for model, figures in figures_of.items():
        for figure in figures:
            table.add_row(model, figure.title, _amount(figure), _limit(figure), _answer(figure.met))
        table.add_section()
    Console(width=150).print(table)


def as_json(figures_of: dict[str, list[Figure]], failures: Iterable[str], load_before: float) -> str:
    """One line: values, budgets and whether they are met, by model and figure."""
    models = {model: {figure.name: _entry(figure) for figure in figures} for model, figures in figures_of.items()}
    machine = {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "load_before": round(load_before, 2),
    }
    return json.dumps({"model": models, "machine": machine, "not_measured": list(failures)})


def _entry(figure: Figure) -> dict[str, object]:
    entry: dict[str, object] = {"value": round(figure.value, 4), "unit": figure.unit}
    if figure.budget is not None:
        entry |= {"budget": figure.budget.text(), "met": figure.met}
    return entry


def _amount(figure: Figure) -> str:
    return f"{figure.value:,.4g} {figure.unit}".strip()


def _limit(figure: Figure) -> str:
    return "" if figure.budget is None else f"{figure.budget.text()} {figure.unit}".strip()


def _answer(met: bool | None) -> str:  # noqa: FBT001 - three-valued
    return {None: "", True: "yes", False: "NO"}[met]
