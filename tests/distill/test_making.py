from pathlib import Path

import numpy as np
import pytest

from distill.__main__ import installed_source
from distill.making import make
from distill.safetensors_file import read_tensors
from rag_server.adapters.fastembed.models import BUNDLED_FOLDER


@pytest.mark.timeout(900)  # the teacher reads its whole vocabulary
def test_the_committed_model_is_what_the_program_makes(tmp_path: Path) -> None:
    source = installed_source()
    if source is None:
        pytest.skip("the teacher is not installed (requirements/distill.in)")
    list(make(source, tmp_path))
    for name in ("tokenizer.json", "tokenizer_config.json", "config.json", "special_tokens_map.json", "NOTICE"):
        assert (tmp_path / name).read_bytes() == (BUNDLED_FOLDER / name).read_bytes()
    made, committed = (read_tensors(folder / "model.safetensors") for folder in (tmp_path, BUNDLED_FOLDER))
    # Another machine's matrix products round otherwise: a step of 127 here and there.
    difference = made["embeddings"].astype(int) - committed["embeddings"].astype(int)
    assert np.abs(difference).max() <= 1
    assert (difference != 0).mean() < 0.01
    assert np.allclose(made["weights"], committed["weights"], atol=1e-4)


def test_a_source_that_is_not_the_teacher_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"another")
    with pytest.raises(ValueError, match="is not the teacher"):
        list(make(tmp_path, tmp_path / "made"))
    assert not (tmp_path / "made").exists()
