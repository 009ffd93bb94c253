"""The vectors as files: one per segment and sealed block, one for all tails, one that says which belongs where."""

import json
import os
import shutil
from pathlib import Path

import numpy as np

from rag_server.adapters.faiss.block import Block, Rows, block_of, join
from rag_server.adapters.faiss.collection import CollectionVectors, FaissVectors, SealedBlock
from rag_server.adapters.faiss.living_segment import LivingSegment, opened
from rag_server.index_ports import NAMED_BY_HASH

LAYOUT = "layout.json"
TAILS = "tails.npy"
ALIVE = "alive.npy"


def write(state: FaissVectors, folder: Path, earlier: Path | None) -> None:
    """Write the state into a folder. Blocks that stand in the earlier one are linked: they never change."""
    layout, tails, masks = {}, [], []
    for name, collection in state.collections.items():
        for segment in collection.segments:
            _write_segment(folder, segment, earlier)
            masks.append(segment.alive)
        for sealed in collection.sealed:
            _write_block(folder, sealed, earlier)
            masks.append(sealed.block.alive)
        tail = collection.tail.living()
        tails.append(tail)
        layout[name] = {
            "segments": [segment.name for segment in collection.segments],
            "blocks": [sealed.name for sealed in collection.sealed],
            "tail_rows": len(tail),
        }
    _write_rows(folder / TAILS, join([_no_rows(state.dimensions), *tails]))
    np.save(folder / ALIVE, np.concatenate([np.empty(0, np.bool_), *masks]))
    (folder / LAYOUT).write_text(json.dumps({"dimensions": state.dimensions, "collections": layout}), "utf-8")


def read(folder: Path) -> FaissVectors:
    """Read what `write` wrote."""
    layout = json.loads((folder / LAYOUT).read_text("utf-8"))
    tails, alive = _read_rows(folder / TAILS), np.load(folder / ALIVE, allow_pickle=False)
    collections: dict[str, CollectionVectors] = {}
    for name, parts in layout["collections"].items():
        segments, sealed = [], []
        for segment_name in parts.get("segments", ()):
            segment = opened(folder / f"{segment_name}{NAMED_BY_HASH}", layout["dimensions"])
            segments.append(LivingSegment.of(segment_name, segment, alive[: segment.row_count].copy()))
            alive = alive[segment.row_count :]
        for block_name in parts["blocks"]:
            rows = _read_rows(folder / f"{block_name}.npy")
            sealed.append(SealedBlock(block_name, block_of(rows, alive[: len(rows)])))
            alive = alive[len(rows) :]
        collections[name] = CollectionVectors(
            tuple(segments), tuple(sealed), block_of(tails.take(slice(parts["tail_rows"])))
        )
        tails = tails.take(slice(parts["tail_rows"], None))
    return FaissVectors(layout["dimensions"], collections)


def empty_tail(dimensions: int) -> Block:
    """A tail without rows."""
    return block_of(_no_rows(dimensions))


def _no_rows(dimensions: int) -> Rows:
    return Rows(
        np.empty((0, dimensions), np.float32),
        np.empty(0, np.int64),
        np.empty(0, np.int64),
        np.empty((2, 0), np.int64),
        np.empty(0, np.bool_),
    )


def _write_block(folder: Path, sealed: SealedBlock, earlier: Path | None) -> None:
    path = folder / f"{sealed.name}.npy"
    if earlier is None or not (earlier / path.name).exists():
        _write_rows(path, sealed.block.rows)
    elif not _linked(earlier / path.name, path):
        shutil.copyfile(earlier / path.name, path)


def _write_segment(folder: Path, segment: LivingSegment, earlier: Path | None) -> None:
    path = folder / f"{segment.name}{NAMED_BY_HASH}"
    if (earlier is not None and _linked(earlier / path.name, path)) or _linked(segment.segment.file.path, path):
        return
    # On another file system, or out of the blob store by now: it is mapped all the same.
    segment.segment.file.mapped.tofile(path)


def _linked(source: Path, target: Path) -> bool:
    """Whether a file could be linked."""
    try:
        os.link(source, target)
    except OSError:
        return False
    return True


def _write_rows(path: Path, rows: Rows) -> None:
    with path.open("wb") as file:
        np.save(file, rows.vectors)
        np.save(file, rows.chunk_ids)
        np.save(file, rows.versions)
        np.save(file, rows.documents)
        np.save(file, rows.blank)


def _read_rows(path: Path) -> Rows:
    with path.open("rb") as file:
        return Rows(*(np.load(file, allow_pickle=False) for _ in range(5)))
