import signal
from collections.abc import Callable

import pytest

from acervo.rag.v1 import job_pb2
from acervo.rag.v1.system_service_pb2 import JobCount
from tests.cli.conftest import Run, spawn, wait_until
from tests.cli.fake_acervo import FakeAcervo
from tests.cli.test_ingest import failed

Call = Callable[..., Run]
NAME = "jobs/01900000-0000-7000-8000-{:012}"


@pytest.fixture
def job(acervo: FakeAcervo) -> job_pb2.Job:
    (job,) = add_jobs(acervo, 1)
    return job


def add_jobs(acervo: FakeAcervo, count: int) -> list[job_pb2.Job]:
    for number in range(count):
        name = NAME.format(number)
        acervo.jobs[name] = job_pb2.Job(
            name=name, state=job_pb2.JOB_STATE_QUEUED, file_name="lei.pdf", revision=1, size_bytes=1 << 40
        )
    return list(acervo.jobs.values())


def test_lists_are_read_page_by_page_up_to_the_limit(call: Call, acervo: FakeAcervo) -> None:
    add_jobs(acervo, 300)
    assert len(call("jobs", "list", "--json").json["jobs"]) == 50
    assert len(call("jobs", "list", "--limit", "270", "--json").json["jobs"]) == 270
    assert len(call("jobs", "list", "--limit", "0", "--json").json["jobs"]) == 300


def test_jobs_are_counted_by_state_and_reason(call: Call, acervo: FakeAcervo) -> None:
    acervo.counts = [
        JobCount(state=job_pb2.JOB_STATE_SUCCEEDED, count=7),
        JobCount(state=job_pb2.JOB_STATE_FAILED, reason="ENCRYPTED", count=2),
    ]
    assert call("jobs", "count", "--json").json == {
        "counts": [
            {"state": "SUCCEEDED", "reason": "", "count": 7},
            {"state": "FAILED", "reason": "ENCRYPTED", "count": 2},
        ]
    }
    assert call("jobs", "count").out.split()[-3:] == ["FAILED", "ENCRYPTED", "2"]


def test_json_has_short_enums_and_whole_numbers(call: Call, job: job_pb2.Job) -> None:
    job.create_time.FromJsonString("2025-03-01T12:00:00Z")
    shown = call("jobs", "show", job.name, "--json").json
    assert (shown["state"], shown["size_bytes"], shown["error"]) == ("QUEUED", 1 << 40, None)
    assert (shown["create_time"], shown["end_time"]) == ("2025-03-01T12:00:00Z", None)
    assert shown["progress"] is None


def test_people_see_local_times(call: Call, job: job_pb2.Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/Sao_Paulo")
    import time  # noqa: PLC0415 - the zone is read anew below

    time.tzset()
    job.create_time.FromJsonString("2025-03-01T12:00:00Z")
    out = call("jobs", "list").out
    monkeypatch.delenv("TZ")
    time.tzset()
    assert "2025-03-01 09:00:00-03:00" in out


def test_a_list_can_be_of_some_states_only(call: Call, acervo: FakeAcervo, job: job_pb2.Job) -> None:
    assert call("jobs", "list", "--state", "failed", "--json").json == {"jobs": []}
    assert len(call("jobs", "list", "--state", "failed", "--state", "queued", "--json").json["jobs"]) == 1
    assert "There are no such jobs." in call("jobs", "list", "--state", "dead").out
    assert acervo.jobs[job.name] is job


def test_a_job_is_found_by_its_bare_id(call: Call, job: job_pb2.Job) -> None:
    assert call("jobs", "show", job.name.removeprefix("jobs/"), "--json").json["name"] == job.name


def test_watching_ends_with_the_job(call: Call, job: job_pb2.Job) -> None:
    run = call("jobs", "watch", job.name, "--json")
    assert run.status == 0
    assert [line["state"] for line in run.lines] == ["QUEUED", "RUNNING", "SUCCEEDED"]
    assert run.lines[1]["progress"]["stage"] == "EMBEDDING"
    assert run.lines[1]["progress"]["eta"] == 62.0


def test_watching_a_job_that_fails_has_exit_status_1(call: Call, acervo: FakeAcervo, job: job_pb2.Job) -> None:
    acervo.endings["lei.pdf"] = failed("ENCRYPTED", "The file is protected by a password.")
    run = call("jobs", "watch", job.name)
    assert run.status == 1
    assert "embedding, 2/2 pages, 1/3 chunks, 12/s, 1:02 left" in run.out
    assert run.err == "acervo: lei.pdf: FAILED (ENCRYPTED: The file is protected by a password.)\n"


def test_ctrl_c_ends_the_watching_without_a_word_of_python(acervo: FakeAcervo, server: str, job: job_pb2.Job) -> None:
    acervo.running.clear()
    with spawn("jobs", "watch", job.name, "--server", server) as process:
        wait_until(lambda: job.state == job_pb2.JOB_STATE_RUNNING, "the job is watched")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")


def test_jobs_are_cancelled_and_queued_again(call: Call, job: job_pb2.Job) -> None:
    assert call("jobs", "cancel", job.name, "--json").json["state"] == "CANCELLED"
    assert call("jobs", "retry", job.name, "--json").json["state"] == "QUEUED"


def test_a_job_that_has_ended_cannot_be_cancelled(call: Call, job: job_pb2.Job) -> None:
    job.state = job_pb2.JOB_STATE_SUCCEEDED
    run = call("jobs", "cancel", job.name)
    assert (run.status, run.err) == (1, "acervo: The job has ended.\n")


def test_a_job_that_is_not_there_is_an_error_with_advice(call: Call) -> None:
    run = call("jobs", "show", NAME.format(99))
    assert run.status == 1
    assert run.err == f"acervo: There is no {NAME.format(99)}. (`acervo jobs list` shows those that there are)\n"


def test_what_is_no_job_is_wrong_usage(call: Call) -> None:
    assert call("jobs", "show", "lei.pdf").status == 2


def test_a_shown_job_says_why_it_failed(call: Call, job: job_pb2.Job) -> None:
    job.MergeFrom(failed("NO_TEXT", "The file has no text."))
    shown = call("jobs", "show", job.name, "--json").json
    assert shown["error"] == {"reason": "NO_TEXT", "message": "The file has no text."}
    assert "The file has no text." in call("jobs", "show", job.name).out
