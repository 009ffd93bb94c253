import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from cli import supervised
from cli.failure import Failure
from cli.launcher import Launcher
from cli.readiness import settled
from cli.run_folder import RunFolder
from cli.supervised import Program
from tests.cli.conftest import ROOT, wait_until
from tests.cli.stand_ins import DEAF, PARENT, Silent, file_there, stand_in

DEADLINE_S = 30


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path)
    with folder.locked():
        pass
    return folder


@contextlib.asynccontextmanager
async def launched(launcher: Launcher) -> AsyncIterator["asyncio.Task[None]"]:
    """The launcher at work, stopped in the end."""
    async with asyncio.timeout(DEADLINE_S):
        task = asyncio.create_task(launcher.run())
        try:
            await launcher.all_ready.wait()
            yield task
        finally:
            launcher.stopping.set()
            with contextlib.suppress(Failure):
                await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)


def lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def is_alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


async def test_programs_start_in_order_and_stop_in_reverse(folder: RunFolder) -> None:
    voice = Silent()
    launcher = Launcher([stand_in(folder.data, name) for name in ("one", "two", "three")], folder, voice)
    async with launched(launcher):
        assert lines(folder.data / "starts") == ["one", "two", "three"]
    assert lines(folder.data / "stops") == ["three", "two", "one"]
    assert voice.said == ["one ready", "two ready", "three ready"]


async def test_all_is_ready_once_the_programs_reach_each_other(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = Launcher([stand_in(folder.data, "one")], folder, Silent(), file_there(folder.data / "touched"))
    task = asyncio.create_task(launcher.run())
    await until(lambda: launcher.state()["one"]["ready"] is True)
    assert not launcher.all_ready.is_set()
    (folder.data / "touched").touch()
    await asyncio.wait_for(launcher.all_ready.wait(), DEADLINE_S)
    launcher.stopping.set()
    await task

    monkeypatch.setattr("cli.launcher.IN_TOUCH_S", 0.1)
    async with launched(Launcher([stand_in(folder.data, "two")], folder, Silent(), file_there(folder.data / "never"))):
        pass  # ready all the same


async def test_a_program_waits_for_the_one_before(folder: RunFolder) -> None:
    first, second = (stand_in(folder.data, name) for name in ("one", "two"))
    gate = file_there(folder.data / "gate")
    launcher = Launcher([Program("one", first.command, first.variables, gate), second], folder, Silent())
    task = asyncio.create_task(launcher.run())
    await until((folder.data / "one").exists)
    assert launcher.state()["two"] == {"pid": None, "ready": False, "starts": 0}
    (folder.data / "gate").touch()
    await asyncio.wait_for(launcher.all_ready.wait(), DEADLINE_S)
    launcher.stopping.set()
    await task


async def test_what_is_killed_is_started_again_as_another_process(folder: RunFolder) -> None:
    voice = Silent()
    launcher = Launcher([stand_in(folder.data, name) for name in ("one", "two")], folder, voice)
    async with launched(launcher):
        killed = launcher.supervised[0].pid
        assert killed is not None
        (folder.data / "one").unlink()
        os.kill(killed, signal.SIGKILL)
        await until(lambda: launcher.supervised[0].starts == 2 and launcher.supervised[0].ready.is_set())
        assert launcher.supervised[0].pid not in (killed, None)
        assert launcher.supervised[1].starts == 1
    assert "one died: killed by SIGKILL, 0.0" in voice.said


async def test_priorities_count_between_programs_and_the_terminals_keys_reach_none(folder: RunFolder) -> None:
    launcher = Launcher([stand_in(folder.data, name) for name in ("one", "two")], folder, Silent())
    async with launched(launcher):
        pids = [one.pid for one in launcher.supervised if one.pid is not None]
        assert {os.getsid(pid) for pid in pids} == {os.getsid(0)}
        assert {os.getpgid(pid) for pid in pids} == set(pids)


async def test_children_that_a_killed_program_leaves_behind_are_killed(folder: RunFolder) -> None:
    launcher = Launcher([stand_in(folder.data, "one", PARENT)], folder, Silent())
    async with launched(launcher):
        await until(lambda: bool(lines(folder.data / "one-child")))
        child = int((folder.data / "one-child").read_text())
        killed = launcher.supervised[0].pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        await until(lambda: not is_alive(child))


async def test_settings_that_are_refused_end_everything_with_the_last_line(folder: RunFolder) -> None:
    refusing = "import sys; sys.stderr.write('ACERVO_X is not a setting\\n'); sys.exit(2)"
    never = file_there(folder.data / "never")
    broken = Program("two", (sys.executable, "-I", "-S", "-c", refusing), dict(os.environ), never)
    voice = Silent()
    launcher = Launcher([stand_in(folder.data, "one"), broken, stand_in(folder.data, "three")], folder, voice)
    with pytest.raises(Failure, match=r"two will not start: ACERVO_X is not a setting \(all of it: .*two.jsonl\)"):
        await asyncio.wait_for(launcher.run(), DEADLINE_S)
    assert "two died: exit status 2: ACERVO_X is not a setting, 0.0" in voice.said
    assert lines(folder.data / "stops") == ["one"]
    assert launcher.supervised[1].starts == 5
    assert launcher.supervised[2].starts == 0


async def test_a_program_that_does_not_stop_is_killed_and_that_is_no_clean_stop(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervised, "STOP_S", 0.2)
    launcher = Launcher([stand_in(folder.data, "one", DEAF)], folder, Silent())
    async with launched(launcher) as task:
        launcher.stopping.set()
        with pytest.raises(Failure, match="one had to be killed"):
            await task


async def test_a_second_request_kills_at_once(folder: RunFolder) -> None:
    launcher = Launcher([stand_in(folder.data, name, DEAF) for name in ("one", "two")], folder, Silent())
    async with launched(launcher) as task:
        launcher.stopping.set()
        await until(lambda: launcher.supervised[1].pid is not None)
        launcher.at_once.set()
        with pytest.raises(Failure, match="one and two had to be killed"):
            await task


async def test_a_stop_during_the_start_stops_what_has_started(folder: RunFolder) -> None:
    never = file_there(folder.data / "never")
    one = stand_in(folder.data, "one")
    launcher = Launcher([Program("one", one.command, one.variables, never)], folder, Silent())
    task = asyncio.create_task(launcher.run())
    await until((folder.data / "one").exists)
    launcher.stopping.set()
    await asyncio.wait_for(task, DEADLINE_S)
    assert lines(folder.data / "stops") == ["one"]


async def test_output_is_appended_to_the_programs_log(folder: RunFolder) -> None:
    folder.log_path("one").write_text("from before\n")
    command = (sys.executable, "-I", "-S", "-c", "print('on stdout', flush=True); import time; time.sleep(600)")
    launcher = Launcher([Program("one", command, dict(os.environ), settled(0))], folder, Silent())
    async with launched(launcher):
        await until(lambda: folder.log_path("one").read_text() == "from before\non stdout\n")


def test_programs_die_with_a_launcher_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "tests/cli/stand_ins.py"), str(tmp_path), "one", "two"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'generated'}"}
    with subprocess.Popen(command, env=environment) as launcher:
        wait_until((tmp_path / "two").exists, "both run")
        children = [int((tmp_path / name).read_text()) for name in ("one", "two")]
        assert all(os.getpgid(child) == child for child in children), "Ctrl-C would reach them"
        launcher.kill()
    wait_until(lambda: not any(is_alive(child) for child in children), "both have gone")
    assert lines(tmp_path / "stops") == []


def test_a_launcher_that_was_killed_leaves_no_lock(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "tests/cli/stand_ins.py"), str(tmp_path), "one"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'generated'}"}
    with subprocess.Popen(command, env=environment) as launcher:
        wait_until((tmp_path / "one").exists, "it runs")
        with pytest.raises(Failure, match=f"process {launcher.pid}"), RunFolder(tmp_path).locked():
            pass
        launcher.kill()
    with RunFolder(tmp_path).locked():
        pass
