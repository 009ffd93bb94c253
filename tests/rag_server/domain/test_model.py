import numpy as np

from rag_server.domain.model import shortened


def test_shortened_vectors_have_unit_length_again_and_the_direction_of_what_is_kept() -> None:
    vectors = np.array([[3 / 13, 4 / 13, 12 / 13], [0, 0, 1]], np.float32)
    kept = shortened(vectors, 2)
    assert kept.dtype == np.float32
    assert np.allclose(kept[0], [0.6, 0.8])
    assert not kept[1].any()  # nothing of it is in the first two dimensions
