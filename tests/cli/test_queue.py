from collections.abc import Callable

from tests.cli.conftest import Run

Call = Callable[..., Run]


def test_the_queue_is_shown(call: Call) -> None:
    run = call("queue")
    assert run.status == 0
    assert [line.split() for line in run.out.splitlines() if line.strip()] == [
        ["queue", "open"],
        ["queued", "2"],
        ["running", "1"],
        ["oldest", "90", "s"],
    ]


def test_the_queue_is_paused_and_resumed(call: Call) -> None:
    assert call("queue", "pause", "--json").json["paused"] is True
    assert "paused since" in call("queue").out
    assert call("queue", "resume", "--json").json["paused"] is False
