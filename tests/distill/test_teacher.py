"""The numpy teacher against the same model run by onnxruntime."""

import os
from pathlib import Path

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # it ships no types
import pytest

from distill.__main__ import installed_source
from distill.safetensors_file import read_tensors
from distill.teacher import forward


def test_the_numpy_teacher_computes_what_onnxruntime_does() -> None:
    source, data = installed_source(), os.environ.get("ACERVO_TEST_DATA")
    if source is None or not data:
        pytest.skip("needs the teacher (requirements/distill.in) and ACERVO_TEST_DATA with its ONNX form")
    pieces = np.random.default_rng(1).integers(1000, 30000, 64)
    ids = np.stack([np.full(64, 101), pieces, np.full(64, 102)], axis=1)
    session = onnxruntime.InferenceSession(Path(data) / "models" / "all-MiniLM-L6-v2-onnx" / "model.onnx")
    inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    expected = session.run(None, inputs)[0]
    assert np.allclose(forward(read_tensors(source / "model.safetensors"), pieces), expected, atol=2e-5)
