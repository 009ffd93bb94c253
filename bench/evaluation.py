"""Measure how well a set is searched: `python -m bench.evaluation --data FOLDER [--model MODEL]... [--reranker MODEL]`.

FOLDER holds corpus.jsonl (id, title, text), queries.jsonl (id, text) and qrels.tsv (query, document, relevance; no
header). A stack of its own takes the documents in and answers the queries, all through the public API. A document ranks
as its best passage. The last line is JSON: an object, or a list of them where there are several models.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.evaluation_data import JudgedQuery, RetrievalSet, read_set
from bench.evaluation_metrics import Quality, distinct, quality_of
from bench.evaluation_subject import EvaluationSubject
from bench.figures import middle
from bench.stack import running
from bench.subject import BUNDLED

MODES = ("LEXICAL", "DENSE", "HYBRID")
RERANKED = "HYBRID+RERANK"
# Passages: a hundred documents are among them.
DEEP_LIMIT = 1000
USUAL_LIMIT = 10
TIMED_QUERIES = 300


@dataclass(frozen=True, slots=True)
class ModeResult:
    """What a mode reached, and how long a usual search of ten hits took."""

    quality: Quality
    p50_s: float


def main() -> int:
    """Returns the exit status."""
    arguments = _arguments()
    try:
        retrieval_set = read_set(Path(arguments.data))
    except (OSError, ValueError) as error:
        print(f"the set cannot be read: {error}", file=sys.stderr)
        return 1
    reports = []
    for model in arguments.model or [BUNDLED]:
        results = _evaluate(retrieval_set, model, arguments.reranker)
        _print_table(arguments.data, model, results)
        reports.append(
            {"data": arguments.data, "model": model, "modes": {mode: _entry(one) for mode, one in results.items()}}
        )
    print(json.dumps(reports if len(reports) > 1 else reports[0]))
    return 0


def _evaluate(retrieval_set: RetrievalSet, model: str, reranker: str) -> dict[str, ModeResult]:
    documents = retrieval_set.documents
    settings = {"ACERVO_MODEL": _absolute(model), "ACERVO_RERANKER": _absolute(reranker)}
    with (
        tempfile.TemporaryDirectory(prefix="acervo-evaluation-") as folder,
        running(Path(folder) / "data", settings) as stack,
        EvaluationSubject(stack.edge) as subject,
    ):
        begun_s = time.monotonic()
        sequence = subject.take_in(documents)
        taken_s = time.monotonic() - begun_s
        print(f"{model}: {len(documents)} documents taken in, {taken_s:.0f} s", file=sys.stderr)
        modes = (*MODES, RERANKED) if reranker else MODES
        for mode in modes:
            subject.search("warm", mode, USUAL_LIMIT, sequence)
        return {mode: _asked(subject, retrieval_set.queries, mode) for mode in modes}


def _asked(subject: EvaluationSubject, queries: Sequence[JudgedQuery], mode: str) -> ModeResult:
    # First the times: later the server remembers the queries.
    times_s = [subject.search(query.text, mode, USUAL_LIMIT)[1] for query in queries[:TIMED_QUERIES]]
    rankings = [(distinct(subject.search(query.text, mode, DEEP_LIMIT)[0]), query.relevance) for query in queries]
    return ModeResult(quality_of(rankings), middle(times_s))


def _absolute(model: str) -> str:
    """The stack runs elsewhere, so that a folder must be named from the root."""
    path = Path(model)
    return str(path.absolute()) if model and path.is_dir() else model


def _entry(result: ModeResult) -> dict[str, float]:
    quality = result.quality
    return {
        "ndcg@10": round(quality.ndcg_at_10, 4),
        "recall@10": round(quality.recall_at_10, 4),
        "recall@100": round(quality.recall_at_100, 4),
        "mrr@10": round(quality.mrr_at_10, 4),
        "p50_ms": round(result.p50_s * 1000, 2),
    }


def _print_table(data: str, model: str, results: dict[str, ModeResult]) -> None:
    table = Table(title=f"{data}, {model}")
    table.add_column("mode")
    entries = {mode: _entry(result) for mode, result in results.items()}
    for name in next(iter(entries.values())):
        table.add_column(name, justify="right")
    for mode, entry in entries.items():
        table.add_row(mode, *(f"{value:.2f}" if name == "p50_ms" else f"{value:.3f}" for name, value in entry.items()))
    Console(width=150).print(table)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.evaluation", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", required=True, help="a folder with corpus.jsonl, queries.jsonl and qrels.tsv")
    parser.add_argument("--model", action="append", default=[], help="a value of ACERVO_MODEL; may be repeated")
    parser.add_argument("--reranker", default="", help="a value of ACERVO_RERANKER: HYBRID is measured with it, too")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
