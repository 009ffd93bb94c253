"""The word index as files: segments never change, so that a snapshot links them."""

import json
import os
import shutil
from pathlib import Path

META = "meta.json"
MANAGED = ".managed.json"
_TRIES = 50


class SegmentsMoving(RuntimeError):
    """The segments were merged again and again while they were being linked."""


def link_committed(work: Path, folder: Path) -> None:
    """Link what the last commit consists of into a new folder. A merge may go on meanwhile. Raises SegmentsMoving."""
    for _ in range(_TRIES):
        meta = (work / META).read_bytes()
        names = _segment_files(meta, work)
        complete = all(_link(work / name, folder / name) for name in names)
        # Files go only after meta.json stopped naming them.
        if complete and (work / META).read_bytes() == meta:
            _write_lists(folder, meta, names)
            return
        for name in names:
            (folder / name).unlink(missing_ok=True)
    raise SegmentsMoving


def link_all(folder: Path, work: Path) -> None:
    """Link what `link_committed` made into an empty folder to work in."""
    meta = (folder / META).read_bytes()
    names = [path.name for path in folder.iterdir() if path.name not in (META, MANAGED)]
    for name in names:
        _link(folder / name, work / name)
    _write_lists(work, meta, names)


def segment_sizes(work: Path) -> list[int]:
    """How many entries each segment of the last commit has, deleted ones among them."""
    return [segment["max_doc"] for segment in json.loads((work / META).read_bytes())["segments"]]


def _segment_files(meta: bytes, work: Path) -> list[str]:
    segments = json.loads(meta)["segments"]
    deletes = {_stem(segment): segment["deletes"] for segment in segments}
    names = []
    for path in work.iterdir():
        stem, _, kind = path.name.partition(".")
        if stem in deletes and (not kind.endswith("del") or _is_current(kind, deletes[stem])):
            names.append(path.name)
    return names


def _stem(segment: dict[str, str]) -> str:
    return segment["segment_id"].replace("-", "")


def _is_current(kind: str, deletes: dict[str, int] | None) -> bool:
    return deletes is not None and kind == f"{deletes['opstamp']}.del"


def _link(source: Path, target: Path) -> bool:
    """Whether the source was still there."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        return False
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)
    return True


def _write_lists(folder: Path, meta: bytes, names: list[str]) -> None:
    # The engine replaces these two, so that they are no links.
    (folder / META).write_bytes(meta)
    (folder / MANAGED).write_text(json.dumps([*names, META]), "utf-8")
