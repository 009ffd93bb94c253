"""Asking the `acervo up` of this machine for a change, and telling how it goes."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import control
from cli.failure import Failure
from cli.output import console, print_json
from cli.run_folder import RunFolder, local_folder

Local = Annotated[str, typer.Option("--local", metavar="DIR", help="The folder that `acervo up` was given as --local.")]


def change(request: Mapping[str, Any], local: str, *, as_json: bool) -> None:
    """Ask, and return when it is done. Raises Failure."""
    folder = RunFolder(Path(local).absolute() if local else local_folder(os.environ))
    if not folder.run.is_dir():
        raise Failure(f"no `acervo up` runs on {folder.data}")
    for line in control.ask(folder.run, request):
        if as_json and "done" in line:
            print_json(line["done"])
        elif not as_json and "told" in line:
            console().print(line["told"], markup=False, highlight=False)
