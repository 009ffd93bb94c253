import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cli import control
from cli.failure import Failure


async def double(request: Mapping[str, Any], tell: control.Tell) -> dict[str, Any]:
    if "number" not in request:
        raise Failure("there is no number")
    tell("thinking")
    return {"number": request["number"] * 2}


async def test_what_is_told_on_the_way_comes_before_the_end(tmp_path: Path) -> None:
    async with control.listening(tmp_path, double):
        lines = await asyncio.to_thread(lambda: list(control.ask(tmp_path, {"number": 21})))
    assert lines == [{"told": "thinking"}, {"done": {"number": 42}}]


async def test_a_refusal_is_a_failure_with_its_sentence(tmp_path: Path) -> None:
    async with control.listening(tmp_path, double):
        with pytest.raises(Failure, match="there is no number"):
            await asyncio.to_thread(lambda: list(control.ask(tmp_path, {})))


async def test_a_folder_with_a_long_name_will_do(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 40)
    folder.mkdir()
    async with control.listening(folder, double):
        lines = await asyncio.to_thread(lambda: list(control.ask(folder, {"number": 1})))
    assert lines[-1] == {"done": {"number": 2}}
    assert list(folder.iterdir()) == []


def test_where_nobody_listens_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="no `acervo up` runs on"):
        list(control.ask(tmp_path, {}))
