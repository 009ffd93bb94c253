"""Whether memory stays flat while documents are read and cut, one after the other: `python -m bench.conversions`.

One parser child reads all of them, though in service it would be replaced from time to time.
"""

import argparse
import asyncio
import itertools
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from rag_server.adapters.extractor_process.process import ExtractorProcess
from rag_server.adapters.fastembed.models import BUNDLED_FOLDER
from rag_server.adapters.fastembed.tokenizer import WindowTokenizer, use_threads
from rag_server.domain.chunking import ChunkLimits
from rag_server.domain.extraction import ExtractionLimits
from rag_server.use_cases.previewing import Previewing
from rag_server.worker.chunker import Chunker

SAMPLES = Path(__file__).parents[1] / "samples"
WARM_UP = 0.2  # of all conversions: libraries are loaded and arenas grow
SHOWN = 10
KIB, MIB = 1 << 10, 1 << 20


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident bytes after a conversion."""

    parent_bytes: int
    child_bytes: int


@dataclass(frozen=True, slots=True)
class Slopes:
    """Bytes per conversion, by which memory grows once everything is warm."""

    parent: float
    child: float


async def convert(files: Sequence[Path], count: int) -> list[Memory]:
    """Read and cut so many documents, the files in turn; the memory after each. Raises RuntimeError if a child ends."""
    use_threads(1)
    tokenizer = WindowTokenizer(BUNDLED_FOLDER)
    limits = ExtractionLimits()
    extractor = ExtractorProcess(recycle_after_documents=count + 1, recycle_above_bytes=limits.memory_bytes)
    await extractor.start(limits.memory_bytes)
    parent, child = psutil.Process(), psutil.Process(extractor.child_pid)
    seen: list[Memory] = []
    with ThreadPoolExecutor(1) as executor:
        chunker = Chunker(tokenizer, ChunkLimits.within(tokenizer.max_tokens), executor)
        previewing = Previewing(extractor, limits, chunker.cut)
        for path in itertools.islice(itertools.cycle(files), count):
            await previewing.preview(path)
            if extractor.child_pid != child.pid:
                raise RuntimeError(f"the parser ended on {path}: choose files that it survives")
            seen.append(Memory(parent.memory_info().rss, child.memory_info().rss))
    await extractor.close()
    return seen


def slopes(seen: Sequence[Memory]) -> Slopes:
    """The trends after the warm-up."""
    warm = seen[int(len(seen) * WARM_UP) :]
    return Slopes(theil_sen([one.parent_bytes for one in warm]), theil_sen([one.child_bytes for one in warm]))


def theil_sen(values: Sequence[float]) -> float:
    """The median slope over all pairs, per step: a few outliers do not move it."""
    series = np.asarray(values, np.float64)
    first, second = np.triu_indices(len(series), k=1)
    return float(np.median((series[second] - series[first]) / (second - first)))


def main() -> None:
    """Print memory over time, and its slopes."""
    parser = argparse.ArgumentParser(prog="python -m bench.conversions", description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="conversions")
    parser.add_argument("--json", action="store_true", help="only one line of JSON")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="default: samples/")
    arguments = parser.parse_args()
    files = [path.absolute() for path in arguments.files] or sorted(SAMPLES.iterdir())
    seen = asyncio.run(convert(files, arguments.count))
    found = slopes(seen)
    if not arguments.json:
        print(f"{'conversions':>12} {'parent MiB':>12} {'child MiB':>12}")
        for number in range(0, len(seen), max(1, len(seen) // SHOWN)):
            _print_row(number + 1, seen[number])
        _print_row(len(seen), seen[-1])
        print(f"slope, KiB per conversion: parent {found.parent / KIB:.3f}, child {found.child / KIB:.3f}")
        return
    peaks = {"parent": max(one.parent_bytes for one in seen), "child": max(one.child_bytes for one in seen)}
    slopes_of = {"parent": found.parent, "child": found.child}
    told = {"conversions": len(seen), "slope_bytes": slopes_of, "peak_bytes": peaks, "cores": os.cpu_count()}
    print(json.dumps(told))


def _print_row(number: int, memory: Memory) -> None:
    print(f"{number:>12} {memory.parent_bytes / MIB:>12.1f} {memory.child_bytes / MIB:>12.1f}")


if __name__ == "__main__":
    main()
