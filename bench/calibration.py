"""Fit how likely a hit answers the query: `python -m bench.calibration --data FOLDER --data FOLDER [--model MODEL]...`.

Each FOLDER holds a retrieval set as for bench.evaluation. Its queries are asked of it, asked again with what answers
them taken out, and asked of the other sets, which cannot answer them. Prints the coefficients of
rag_server.domain.relevance for each model and mode, how far they are off (the expected calibration error, also fitted
on one set and measured on the others), and what is left of answers above some thresholds.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.calibration_samples import Asked, CalibrationLibrary, Sample
from bench.evaluation_data import RetrievalSet, read_set
from bench.subject import BUNDLED
from rag_server.adapters.fastembed.embedder import FastembedEmbedder
from rag_server.adapters.fastembed.models import resolve
from rag_server.domain.relevance import evidence
from rag_server.domain.search import SearchMode

Floats = NDArray[np.float64]
THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.5)
BINS = 10
# As many queries that can be answered as queries that cannot, and of these as many of either kind.
SHARES = {Asked.OWN: 0.5, Asked.TAKEN: 0.25, Asked.OTHER: 0.25}
ROUNDS = 50
SETTLED = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Observations:
    """Hits as the fit sees them."""

    features: Floats  # (n, 3): 1, level, peak
    relevant: Floats  # (n,) 0 or 1
    weights: Floats  # (n,)
    first: NDArray[np.bool_]  # (n,) the best of its answer


def main() -> int:
    """Returns the exit status."""
    arguments = _arguments()
    sets = [read_set(Path(folder)) for folder in arguments.data]
    for model in arguments.model or [BUNDLED]:
        embedder = FastembedEmbedder(resolve(model, Path()), 1)
        by_set = [list(_samples(place, sets, embedder)) for place in range(len(sets))]
        for mode in SearchMode:
            print(f"\n{model}, {embedder.kind}, {mode}")
            _report(arguments.data, [[sample for sample in each if sample.mode is mode] for each in by_set])
    return 0


def _samples(place: int, sets: Sequence[RetrievalSet], embedder: FastembedEmbedder) -> Iterator[Sample]:
    with tempfile.TemporaryDirectory(prefix="acervo-calibration-") as scratch:
        library = CalibrationLibrary(sets[place].documents, embedder, Path(scratch))
        try:
            for number, asked in enumerate(sets):
                for query in asked.queries:
                    yield from library.samples(query, is_own=number == place)
        finally:
            library.close()


def _report(names: Sequence[str], by_set: Sequence[Sequence[Sample]]) -> None:
    observed = [_observations(samples) for samples in by_set]
    fitted = fit(_joined(observed))
    print("  intercept {:.2f}, slope {:.2f}, peak {:.2f}".format(*fitted))
    for place, name in enumerate(names):
        here, others = observed[place], [each for number, each in enumerate(observed) if number != place]
        elsewhere = fit(_joined(others))
        print(
            f"  {Path(name).name}: error {_error(here, fitted):.3f}, of first hits {_error(_firsts(here), fitted):.3f};"
            f" fitted on the others {_error(here, elsewhere):.3f} and {_error(_firsts(here), elsewhere):.3f}"
        )
        for threshold in THRESHOLDS:
            _print_cut(by_set[place], fitted, threshold)


def _observations(samples: Sequence[Sample]) -> Observations:
    samples = [sample for sample in samples if len(sample.scores)]
    counts = Counter(sample.asked for sample in samples)
    return Observations(
        np.concatenate([_features(sample) for sample in samples]),
        np.concatenate([sample.relevant.astype(np.float64) for sample in samples]),
        np.concatenate([np.full(len(each.scores), SHARES[each.asked] / counts[each.asked]) for each in samples]),
        np.concatenate([np.arange(len(sample.scores)) == 0 for sample in samples]),
    )


def _features(sample: Sample) -> Floats:
    level, peak = evidence(sample.scores, sample.mode, sample.best_bm25, sample.full_bm25)
    return np.column_stack([np.ones(len(level)), level, peak])


def _joined(parts: Sequence[Observations]) -> Observations:
    fields = ("features", "relevant", "weights", "first")
    return Observations(*(np.concatenate([getattr(part, field) for part in parts]) for field in fields))


def _firsts(observed: Observations) -> Observations:
    first = observed.first
    return Observations(observed.features[first], observed.relevant[first], observed.weights[first], first[first])


def fit(observed: Observations) -> Floats:
    """The most likely coefficients (3,), by Newton's method."""
    features, weights = observed.features, observed.weights / observed.weights.mean()
    coefficients: Floats = np.zeros(features.shape[1])
    for _ in range(ROUNDS):
        likely = _likely(features, coefficients)
        gradient = features.T @ (weights * (observed.relevant - likely))
        curvature = (features * (weights * likely * (1 - likely))[:, None]).T @ features
        step = np.linalg.solve(curvature, gradient)
        coefficients = coefficients + step
        if np.abs(step).max() < SETTLED:
            break
    return coefficients


def _likely(features: Floats, coefficients: Floats) -> Floats:
    likely: Floats = 0.5 * (1.0 + np.tanh(0.5 * (features @ coefficients)))
    return likely


def _error(observed: Observations, coefficients: Floats) -> float:
    """The expected calibration error: what is said less what is so, in ten bins of what is said."""
    likely = _likely(observed.features, coefficients)
    bins = np.minimum((likely * BINS).astype(np.int64), BINS - 1)
    off = observed.weights * (likely - observed.relevant)
    return float(sum(abs(off[bins == each].sum()) for each in range(BINS)) / observed.weights.sum())


def _print_cut(samples: Sequence[Sample], coefficients: Floats, threshold: float) -> None:
    kept = {asked: [_kept(each, coefficients, threshold) for each in samples if each.asked is asked] for asked in Asked}
    answerable = [sample.relevant for sample in samples if sample.asked is Asked.OWN]
    pairs = list(zip(answerable, kept[Asked.OWN], strict=True))
    good = np.mean([relevant[mask].any() for relevant, mask in pairs if relevant.any()])
    taken, other = (np.mean([not mask.any() for mask in kept[asked]]) for asked in (Asked.TAKEN, Asked.OTHER))
    hits = np.concatenate([relevant[mask] for relevant, mask in pairs])
    precision = f"{hits.mean():.2f}" if len(hits) else "-"
    print(
        f"    from {threshold:.2f}: answer kept {good:.3f}, relevant among what is kept {precision};"
        f" empty where the answer was taken out {taken:.3f}, of another set {other:.3f}"
    )


def _kept(sample: Sample, coefficients: Floats, threshold: float) -> NDArray[np.bool_]:
    return _likely(_features(sample), coefficients) >= threshold


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.calibration", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", action="append", required=True, help="a retrieval set; at least two of them")
    parser.add_argument("--model", action="append", default=[], help="a value of ACERVO_MODEL; may be repeated")
    arguments = parser.parse_args()
    if len(arguments.data) == 1:
        parser.error("what a set cannot answer comes from another one: name two")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
