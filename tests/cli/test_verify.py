from collections.abc import Callable

from acervo.rag.v1.system_service_pb2 import Invariant
from tests.cli.conftest import Run
from tests.cli.fake_acervo import FakeAcervo

Call = Callable[..., Run]


def test_invariants_that_hold_have_exit_status_0(call: Call, acervo: FakeAcervo) -> None:
    acervo.invariants = [Invariant(id="I10", ok=True, checked=4), Invariant(id="I2", title="t", ok=True, checked=3)]
    run = call("verify", "--json")
    assert run.status == 0
    assert run.json == {
        "ok": True,
        "invariants": {
            "I2": {"ok": True, "checked": 3, "detail": "", "title": "t"},
            "I10": {"ok": True, "checked": 4, "detail": "", "title": ""},
        },
    }
    assert list(run.json["invariants"]) == ["I2", "I10"]


def test_a_broken_invariant_has_exit_status_1_and_its_detail(call: Call, acervo: FakeAcervo) -> None:
    acervo.invariants = [Invariant(id="I1", ok=True), Invariant(id="I2", detail="jobs/1 has no blob", checked=3)]
    assert call("verify", "--json").json["ok"] is False
    run = call("verify")
    assert run.status == 1
    assert "BROKEN" in run.out
    assert "jobs/1 has no blob" in run.out


def test_a_check_of_nothing_is_no_success(call: Call) -> None:
    run = call("verify", "--json")
    assert (run.status, run.json) == (1, {"ok": False, "invariants": {}})
