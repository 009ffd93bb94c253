import io
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cli import programs
from cli.herald import Herald
from cli.launcher import Launcher
from cli.main import app
from cli.programs import Ports, make_programs, render_envoy
from cli.run_folder import RunFolder


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_port_that_is_taken_is_named(tmp_path: Path, taken_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "FREED_S", 0.0)
    result = CliRunner().invoke(app, ["up", "--data", str(tmp_path), "--port-base", str(taken_port - 2)])
    assert result.exit_code == 1
    assert f"port {taken_port} (for rag server) is taken" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_second_launcher_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with RunFolder(tmp_path).locked():
        result = CliRunner().invoke(app, ["up", "--data", str(tmp_path)])
    assert result.exit_code == 1
    assert "another `acervo up`" in result.stderr


@pytest.mark.parametrize("options", [("--replicas", "2"), ("--gateways", "3"), ("--local", "x")])
def test_a_folder_is_for_one_server(options: tuple[str, str], tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["up", "--data", str(tmp_path), *options])
    assert result.exit_code == 2
    assert "one server only can use a folder" in " ".join(result.stderr.replace("│", " ").split())


def test_programs_stand_in_their_order_with_their_settings(tmp_path: Path) -> None:
    folder, ports = RunFolder(tmp_path), Ports(9000)
    made = make_programs(folder, ports, {"ACERVO_MODEL": "bundled", "ACERVO_STORE": "elsewhere"})
    assert [program.name for program in made] == ["serve", "work", "gateway", "envoy"]
    assert [program.command[-1] for program in made[:3]] == ["rag_server.serve", "rag_server.work", "gateway.serve"]
    for program in made[:3]:
        assert program.variables == {
            "ACERVO_MODEL": "bundled",
            "ACERVO_STORE": str(tmp_path),
            "ACERVO_RAG_LISTEN": "127.0.0.1:9002",
            "ACERVO_RAG_SERVER": "127.0.0.1:9002",
            "ACERVO_GATEWAY_LISTEN": "127.0.0.1:9001",
        }


async def test_the_state_names_processes_and_ports(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    herald = Herald(folder, Ports(9000), Console(file=io.StringIO()))
    herald.launcher = Launcher(make_programs(folder, Ports(9000), {}), folder, herald)
    with folder.locked():
        herald.changed()
        state = json.loads((folder.run / "launcher.json").read_text())
    assert state == {
        "pid": os.getpid(),
        "data": str(tmp_path),
        "server": "127.0.0.1:9000",
        "ports": {"envoy": 9000, "gateway": 9001, "rag_server": 9002, "envoy_admin": 9003},
        "programs": {
            name: {"pid": None, "ready": False, "starts": 0} for name in ("serve", "work", "gateway", "envoy")
        },
        "ready": False,
    }


def test_envoy_is_configured_for_the_ports_and_the_largest_upload(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with folder.locked():
        render_envoy(folder, Ports(9000), {"ACERVO_MAX_UPLOAD_BYTES": "1000000000"})
        text = (folder.run / "envoy.yaml").read_text()
    assert all(f"port_value: {port}" in text for port in (9000, 9001, 9003))
    assert "max_request_bytes: 10" in text


def test_a_largest_upload_that_is_no_number_is_told_in_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app,
        ["up", "--data", str(tmp_path), "--port-base", "23456"],
        env={"ACERVO_MAX_UPLOAD_BYTES": "much"},
    )
    assert result.exit_code == 1
    assert "invalid int value: 'much'" in result.stderr
