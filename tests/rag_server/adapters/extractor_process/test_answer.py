"""A child that was taken over can say anything; nothing of it may pass."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_server.adapters.extractor_process.answer import Answer, Misbehaved
from rag_server.adapters.extractor_process.frames import LENGTH, PIECE_CHARS, encode
from rag_server.adapters.extractor_process.pictures import MAX_PICTURE_BYTES
from rag_server.domain.extraction import ExtractionLimits, TableRows
from rag_server.domain.failure import Failure, FailureReason, IngestionFailed

PNG = b"\x89PNG\r\n\x1a\n...."
LIMITS = ExtractionLimits(max_pages=10, max_text_chars=1000)
START = {"kind": "start", "media_type": "application/pdf", "pages_total": 3, "properties": {}}


def page(number: object, text: object = "text", **fields: Any) -> dict[str, Any]:
    return {
        "kind": "page",
        "number": number,
        "text": text,
        "more": False,
        "headings": [],
        "tables": [],
        "damaged": False,
    } | fields


def picture(number: object, png: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"kind": "picture", "number": number, "data": base64.b64encode(png).decode(), "more": more}


def answer_to(*messages: dict[str, Any], limits: ExtractionLimits = LIMITS) -> Answer:
    answer = Answer(limits)
    for message in messages:
        answer.accept(encode(message)[LENGTH.size :])
    return answer


def test_pages_in_pieces_are_put_together() -> None:
    beginning = "come" + "ç" * (PIECE_CHARS - 4)
    first = {"kind": "page", "number": 1, "text": beginning, "more": True}
    last = page(1, "ço", headings=[[1, PIECE_CHARS - 1, "çço"]])
    extraction = answer_to(START, first, last, {"kind": "end"}, limits=ExtractionLimits()).outcome()
    assert extraction.pages[0].text == beginning + "ço"
    assert extraction.pages[0].headings[0].text == "çço"


@pytest.mark.parametrize(
    "messages",
    [
        [page(1)],
        [START, START],
        [START | {"media_type": "application/x-evil"}],
        [START | {"pages_total": 11}],
        [START | {"pages_total": True}],
        [START | {"properties": ["title"]}],
        [START, page(0)],
        [START, page(2), page(1)],
        [START, page(1), page(1)],
        [START, page(11)],
        [START, page("1")],
        [START, page(1, "x" * 1001)],
        [START, page(1, "x" * 600), page(2, "x" * 600)],
        [START, page(1, "nul \x00")],
        [START, page(1, "override \u202e")],
        [START, page(1, "cafe\u0301")],
        [START, page(1, None)],
        [START, page(1, headings=[[1, 0, "other"]])],
        [START, page(1, headings=[[0, 0, "text"]])],
        [START, page(1, headings=[[1, 99, ""]])],
        [START, page(1, headings="xx")],
        [START, page(1, tables=[[0, 5, ""]])],
        [START, page(1, tables=[[2, 1, ""]])],
        [START, page(1, tables=[[0, 2, ""], [1, 3, ""]])],
        [START, page(1, tables=[[0, 4, "a\nb"]])],
        [START, page(1, tables=[[0, 4, "x" * 301]])],
        [START, page(1, tables=[[0, 4, "override \u202e"]])],
        [START, page(1, tables=[[0, True, ""]])],
        [START, page(1, tables=[[0, 4, 7]])],
        [START, page(1, tables=[[0, 4]])],
        [START, picture(1, b"no PNG")],
        [START, picture(1, PNG, more=True), picture(2, PNG)],
        [START, picture(1, PNG, more=True), page(1)],
        [START, picture(2, PNG), picture(1, PNG)],
        [START, picture(1, PNG) | {"data": "not base64!"}],
        [START, picture(1, PNG + bytes(MAX_PICTURE_BYTES))],
        [START, page(1, more=True), page(2)],
        [START, page(1, "", more=True)],
        [START, page(1, headings=[[1, 0, ""]])],
        [START, {"kind": "shell"}],
        [START, {"kind": "failed", "refusal": "WORKER_CRASHED", "detail": {}}],
        [START, {"kind": "failed"}],
    ],
    ids=lambda messages: str(messages)[-60:],
)
def test_what_no_honest_child_says_is_refused(messages: list[dict[str, Any]]) -> None:
    with pytest.raises(Misbehaved):
        answer_to(*messages)


@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: ('{"kind":"page",' + text + "}").encode()))
def test_bytes_of_any_kind_are_refused_or_taken_but_never_raise_otherwise(payload: bytes) -> None:
    answer = answer_to(START)
    try:
        answer.accept(payload)
    except Misbehaved:
        return
    assert answer.pages_done <= 1


def test_deeply_nested_json_is_refused() -> None:
    with pytest.raises(Misbehaved):
        Answer(LIMITS).accept(b"[" * 100_000)


def test_sentences_and_odd_details_of_the_child_do_not_reach_people() -> None:
    failed = {"kind": "failed", "refusal": "CORRUPT", "message": "visit evil.example", "detail": {
        "error": "<script>", "at": "reader.py:10", "advice": "send money"}}  # fmt: skip
    with pytest.raises(IngestionFailed) as raised:
        answer_to(START, failed).outcome()
    assert raised.value.failure.detail == {"at": "reader.py:10"}
    assert "evil" not in raised.value.failure.sentence


def test_damage_in_the_middle_leaves_the_pages_before_it() -> None:
    failed = {"kind": "failed", "refusal": "CORRUPT", "detail": {}}
    extraction = answer_to(START, page(1), failed).outcome()
    assert extraction.problem is not None
    assert extraction.problem.detail == {"pages_read": "1", "pages_total": "3"}
    assert len(extraction.pages) == 1


def test_a_limit_in_the_middle_leaves_nothing() -> None:
    failed = {"kind": "failed", "refusal": "LIMIT_EXCEEDED", "detail": {"which": "max_text_chars"}}
    with pytest.raises(IngestionFailed):
        answer_to(START, page(1), failed).outcome()


def test_unreadable_and_damaged_pages_are_named() -> None:
    messages = START, page(1), {"kind": "skipped", "number": 2}, page(3, damaged=True), {"kind": "end"}
    extraction = answer_to(*messages).outcome()
    assert extraction.problem is not None
    assert extraction.problem.reason is FailureReason.CORRUPT
    assert extraction.problem.detail == {"pages_unreadable": "2", "pages_damaged": "3"}
    assert [page.number for page in extraction.pages] == [1, 3]


def test_properties_are_a_few_short_lines() -> None:
    properties = {"title": "A\nB\x00" + "x" * 900, "evil": "x", "author": 7, "language": ""}
    extraction = answer_to(START | {"properties": properties}, page(1), {"kind": "end"}).outcome()
    assert set(extraction.properties) == {"title", "author"}
    assert extraction.properties["title"].startswith("A Bxxx")
    assert len(extraction.properties["title"]) == 500


def test_signs_of_life_are_for_the_slow_not_for_keeping_the_parent_busy() -> None:
    limits = ExtractionLimits(document_timeout_s=20)
    assert not answer_to(*[{"kind": "alive"}] * 100, limits=limits).is_over
    with pytest.raises(Misbehaved):
        answer_to(*[{"kind": "alive"}] * 200, limits=limits)


def test_headings_beyond_all_measure_are_left_out() -> None:
    limits = ExtractionLimits(document_timeout_s=20)
    pages = [page(number, headings=[[1, 0, "text"]] * 5_000) for number in range(1, 23)]
    extraction = answer_to(START | {"pages_total": 22}, *pages, {"kind": "end"}, limits=limits).outcome()
    assert len(extraction.pages) == 22
    assert sum(len(one.headings) for one in extraction.pages) == 100_000


def test_a_table_s_rows_are_taken_over() -> None:
    table = page(1, "a | b\n1 | 2", tables=[[6, 11, "a | b"]])
    assert answer_to(START, table, {"kind": "end"}).outcome().pages[0].tables == (TableRows("a | b", 6, 11),)


def test_a_picture_waits_for_its_text() -> None:
    answer = answer_to(START, picture(1, PNG[:10], more=True))
    pending = [answer.pending_picture]
    answer.accept(encode(picture(1, PNG[10:]))[LENGTH.size :])
    pending.append(answer.pending_picture)
    answer.recognised("cafe\u0301 \u202e")
    assert [*pending, answer.pending_picture] == [None, PNG, None]
    assert answer.pages_done == 1
    answer.accept(encode(page(2))[LENGTH.size :])
    answer.accept(encode({"kind": "end"})[LENGTH.size :])
    assert [each.text for each in answer.outcome().pages] == ["café", "text"]


def test_a_picture_that_could_not_be_recognised_is_a_page_that_could_not_be_read() -> None:
    answer = answer_to(START, picture(1, PNG))
    answer.recognised(None)
    answer.accept(encode(page(2))[LENGTH.size :])
    answer.accept(encode({"kind": "end"})[LENGTH.size :])
    assert answer.outcome().problem == Failure(
        FailureReason.CORRUPT, "1 of 2 pages are damaged and could not be read.", {"pages_unreadable": "1"}
    )


def test_a_picture_that_nobody_asked_for_is_refused() -> None:
    answer = Answer(LIMITS, "Pictures are not read.")
    answer.accept(encode(START)[LENGTH.size :])
    with pytest.raises(Misbehaved):
        answer.accept(encode(picture(1, PNG))[LENGTH.size :])


@pytest.mark.parametrize(
    "frames", [[START, page(1, ""), {"kind": "end"}], [{"kind": "failed", "refusal": "PICTURE", "detail": {}}]]
)
def test_where_pictures_are_not_read_the_failure_says_why(frames: list[dict[str, Any]]) -> None:
    answer = Answer(LIMITS, "Pictures are not read here.")
    for frame in frames:
        answer.accept(encode(frame)[LENGTH.size :])
    with pytest.raises(IngestionFailed) as failed:
        answer.outcome()
    assert failed.value.failure.reason is FailureReason.NO_TEXT
    assert failed.value.failure.sentence.endswith("Pictures are not read here.")
