"""Envoy as its image starts it: what it tells of itself, and how it ends."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.deploy.dockerfile import ROOT, last
from tests.deploy.edge import DEADLINE_S, EDGE, LARGEST_BYTES, Running, running_edge
from tests.servers.survivors import children_of, is_running


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with running_edge(tmp_path) as running:
        yield running


def test_it_tells_figures_and_nothing_else_of_the_admin_interface(running: Running) -> None:
    with httpx.Client(base_url=running.figures, trust_env=False) as client:
        assert "envoy_cluster_membership_total" in client.get("/stats/prometheus").text
        paths = ("/config_dump", "/stats", "/quitquitquit", "/", "/ready/../quitquitquit")
        assert {client.post(path).status_code for path in paths} == {404}
        assert client.get("/ready").status_code == 200


def test_asked_to_stop_it_says_so_and_answers_until_it_is_over(running: Running) -> None:
    running.process.send_signal(signal.SIGTERM)
    running.until_ready_is(503)
    answer = httpx.get(f"{running.edge}/health/live", trust_env=False)
    assert answer.status_code == 503  # there is no gateway, and the edge still says it
    assert answer.headers["connection"] == "close"
    assert running.process.wait(DEADLINE_S) == 0


def test_asked_twice_it_stops_at_once(running: Running) -> None:
    running.process.send_signal(signal.SIGTERM)
    running.until_ready_is(503)
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(DEADLINE_S) == 0
    assert running.ready() == 0


def test_killed_it_takes_its_envoy_with_it(running: Running) -> None:
    (envoy,) = children_of(running.process.pid)
    assert "envoy" in Path(f"/proc/{envoy}/cmdline").read_text()
    running.process.kill()
    deadline = time.monotonic() + DEADLINE_S
    while is_running(envoy):
        assert time.monotonic() < deadline
    assert running.ready() == 0


def test_it_follows_the_limit_of_uploads(running: Running, tmp_path: Path) -> None:
    assert running.process.poll() is None
    limits = re.findall(r"max_request_bytes: (\d+)", (tmp_path / "envoy.yaml").read_text())
    assert any(LARGEST_BYTES < int(limit) < 3 * LARGEST_BYTES for limit in limits)


def test_what_cannot_be_rendered_ends_it(tmp_path: Path) -> None:
    command = [sys.executable, str(EDGE), "--listen", "nowhere", "--config", str(tmp_path / "envoy.yaml")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert "HOST:PORT" in ended.stderr


def test_envoy_accepts_what_its_image_starts_it_with(tmp_path: Path) -> None:
    renderer = [sys.executable, str(ROOT / "envoy" / "render.py"), "--admin", "127.0.0.1:9901"]
    arguments = [*last("envoy", "CMD").exec_form, "--descriptors", str(ROOT / "generated" / "acervo.binpb")]
    config = tmp_path / "envoy.yaml"
    with config.open("wb") as output:
        subprocess.run([*renderer, *arguments], stdout=output, timeout=60, check=True)
    validated = subprocess.run(
        [Path(sys.executable).parent / "envoy", "--mode", "validate", "-l", "warning", "-c", config],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert validated.returncode == 0, validated.stderr
