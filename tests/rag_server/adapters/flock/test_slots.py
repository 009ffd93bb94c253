"""A slot belongs to one living process, which tells the others how it is."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag_server.adapters.flock.slots import SlotLock, SlotTaken
from rag_server.domain.health import WorkerState

HOLD = """
import sys
from pathlib import Path
from rag_server.adapters.flock.slots import SlotLock
from rag_server.domain.health import WorkerState
slots = SlotLock(Path(sys.argv[1]))
slots.take("slot-1")
slots.tell(WorkerState("slot-1", 77, "rlimits+seccomp"))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that holds the slot."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=Path(__file__).parents[4]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_nobody_is_present_where_no_slot_is_held(tmp_path: Path) -> None:
    assert SlotLock(tmp_path).present() == []


def test_a_holder_is_present_as_it_has_told(tmp_path: Path, holder: "subprocess.Popen[str]") -> None:
    assert holder.poll() is None
    assert SlotLock(tmp_path).present() == [WorkerState("slot-1", 77, "rlimits+seccomp")]


def test_a_slot_has_one_holder(tmp_path: Path, holder: "subprocess.Popen[str]") -> None:
    assert holder.poll() is None
    with pytest.raises(SlotTaken, match="another worker holds slot-1"):
        SlotLock(tmp_path).take("slot-1")


def test_what_a_dead_holder_told_is_forgotten(tmp_path: Path, holder: "subprocess.Popen[str]") -> None:
    holder.kill()
    holder.wait()
    slots = SlotLock(tmp_path)
    assert slots.present() == []
    descriptor = slots.take("slot-1")
    assert SlotLock(tmp_path).present() == [WorkerState("slot-1", os.getpid())]
    os.close(descriptor)


@pytest.mark.parametrize("told", ["", "{", "[]", '{"other": 1}', '"text"'])
def test_what_cannot_be_understood_is_not_told(tmp_path: Path, told: str) -> None:
    slots = SlotLock(tmp_path)
    descriptor = slots.take("slot-1")
    (tmp_path / "slots" / "slot-1.json").write_text(told)
    assert slots.present() == [WorkerState("slot-1")]
    os.close(descriptor)
