"""A small `make torture PROFILE=production`: replicas that are killed, PostgreSQL and Redis that go away."""

from pathlib import Path

import pytest

from bench.torture_replicas import Plan, torture


@pytest.mark.timeout(170)
def test_each_document_is_there_once_whatever_is_killed(tmp_path: Path) -> None:
    verdict = torture(Plan(documents=60, replicas=3, seed=7, stops=1, flushes=1, restarts=1, least_kills=7), tmp_path)
    assert verdict.faults == []
    kinds = ("gateway", "serve", "work", "extract")
    assert all(verdict.done[f"kill -9 {kind}"] for kind in kinds)
    assert all(verdict.done[name] == 1 for name in ("stop PostgreSQL", "flush Redis", "restart Redis"))
