from collections.abc import Callable

from acervo.rag.v1.system_service_pb2 import CONDITION_DEGRADED, CONDITION_OK, Component
from tests.cli.conftest import Run
from tests.cli.fake_acervo import FakeAcervo

Call = Callable[..., Run]


def test_every_part_is_shown_with_its_condition(call: Call, acervo: FakeAcervo) -> None:
    acervo.components = [
        Component(name="gateway", condition=CONDITION_OK),
        Component(name="worker", condition=CONDITION_DEGRADED, detail="no slot has been seen for 20 s"),
    ]
    run = call("health", "--json")
    assert run.status == 0
    assert run.json["components"][1] == {
        "name": "worker",
        "condition": "DEGRADED",
        "detail": "no slot has been seen for 20 s",
    }
    assert "no slot has been seen" in call("health").out


def test_a_system_that_is_not_ready_has_exit_status_1(call: Call, acervo: FakeAcervo) -> None:
    acervo.ready = False
    run = call("health", "--json")
    assert (run.status, run.json["ready"]) == (1, False)
