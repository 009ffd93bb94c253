import numpy as np

from distill.table import extended_vocabulary, quantized


def test_a_quantized_row_points_where_the_row_did() -> None:
    table = np.random.default_rng(7).normal(size=(50, 256)) * np.logspace(-4, 3, 50)[:, None]
    table[3] = 0
    rows, weights = quantized(table)
    back = rows * weights[:, None] * np.abs(table).max() / 127
    assert not back[3].any()
    assert np.abs(back - table).max(axis=1).max() <= np.abs(table).max(axis=1).max() / 127
    kept = [row for row in range(50) if row != 3]
    cosines = (
        (back * table).sum(axis=1)[kept] / np.linalg.norm(back, axis=1)[kept] / np.linalg.norm(table, axis=1)[kept]
    )
    assert cosines.min() > 0.9999


def test_only_words_that_are_missing_are_added() -> None:
    assert extended_vocabulary({"a": 0, "de": 1}, ["a", "da", "de", "do"]) == {"a": 0, "de": 1, "da": 2, "do": 3}
