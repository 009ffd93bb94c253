"""Measure a stack of its own: `python -m bench [--only NAME]... [--model MODEL]...`.

One table, and the same as JSON in the last line. With ACERVO_TEST_DATA set the real documents and the transformer model
there are measured, too. Exit status 1 where something could not be measured; a missed budget is told, not punished.
"""

import os

# Before faiss is loaded, as serve does it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import sys
import tempfile
import time
import traceback
from pathlib import Path

from bench.client import Client
from bench.figures import Figure, as_json, print_table
from bench.measures import (
    commit_time,
    ingest_rate,
    kills,
    large_pdf,
    memory,
    search_cost,
    search_meanwhile,
    small_documents,
    start,
    uploads,
)
from bench.stack import running
from bench.subject import BUNDLED, Measure, Subject

# In the order in which they run: those that stop or kill programs come last.
MEASURES: dict[str, Measure] = {
    "large_pdf": large_pdf.measure,
    "ingest_rate": ingest_rate.measure,
    "search_cost": search_cost.measure,
    "search_meanwhile": search_meanwhile.measure,
    "small_documents": small_documents.measure,
    "commit_time": commit_time.measure,
    "memory": memory.measure,
    "start": start.measure,
    "uploads": uploads.measure,
    "kills": kills.measure,
}
# What depends on the model; the rest would measure the same again, only slower.
OF_ANY_MODEL = ("ingest_rate", "search_cost", "search_meanwhile", "start")
TRANSFORMER = Path("models", "all-MiniLM-L6-v2-onnx")
QUIET_LOAD = 0.7


def main() -> int:
    """Returns the exit status."""
    arguments = _arguments()
    if arguments.profile == "production":
        from bench import production  # noqa: PLC0415 - only there the servers of the tests are needed

        return production.main()
    figures_of: dict[str, list[Figure]] = {}
    failures: list[str] = []
    load = os.getloadavg()[0]
    for model in arguments.model or _models(_test_data()):
        names = [name for name in MEASURES if _wanted(name, model, arguments.only)]
        if names:
            label = model if model == BUNDLED else Path(model).name
            figures_of[label] = _measure_model(model, names, failures)
    print_table(figures_of)
    for failure in failures:
        print(f"not measured: {failure}", file=sys.stderr)
    if load > QUIET_LOAD:
        print(f"the machine was busy before this began (load {load:.1f}): percentiles are blurred", file=sys.stderr)
    print(as_json(figures_of, failures, load))
    return 1 if failures else 0


def _measure_model(model: str, names: list[str], failures: list[str]) -> list[Figure]:
    figures: list[Figure] = []
    with (
        tempfile.TemporaryDirectory(prefix="acervo-bench-") as folder,
        running(Path(folder) / "data", {"ACERVO_MODEL": model}) as stack,
        Client(stack.url) as client,
    ):
        subject = Subject(stack, client, model, _test_data())
        for name in names:
            begun_s = time.monotonic()
            try:
                figures += MEASURES[name](subject)
                subject.wait_until_idle()
            except Exception as error:  # noqa: BLE001 - the other measures are worth having all the same
                traceback.print_exc()
                failures.append(f"{name} with {Path(model).name}: {type(error).__name__}: {error}")
            print(f"{Path(model).name}: {name}, {time.monotonic() - begun_s:.0f} s", file=sys.stderr)
    return figures


def _wanted(name: str, model: str, only: list[str]) -> bool:
    return name in only if only else model == BUNDLED or name in OF_ANY_MODEL


def _models(test_data: Path | None) -> list[str]:
    transformer = None if test_data is None else test_data / TRANSFORMER
    return [BUNDLED, *([str(transformer)] if transformer is not None and transformer.exists() else [])]


def _test_data() -> Path | None:
    given = os.environ.get("ACERVO_TEST_DATA", "")
    return Path(given).absolute() if given else None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--only", action="append", default=[], choices=list(MEASURES), help="may be repeated")
    parser.add_argument("--model", action="append", default=[], help="a value of ACERVO_MODEL; may be repeated")
    parser.add_argument(
        "--profile", choices=("embedded", "production"), default="embedded", help="production: side by side"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
