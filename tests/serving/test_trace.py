"""A request keeps its identity from process to process."""

from serving import trace


def test_the_trace_goes_on_under_a_new_span() -> None:
    first = trace.begin("", "")
    second = trace.begin(first.request_id, first.traceparent)
    assert (second.request_id, second.trace_id) == (first.request_id, first.trace_id)
    assert second.span_id != first.span_id


def test_what_cannot_be_a_request_id_is_not_taken_over() -> None:
    assert trace.begin("two words\n", "").request_id != "two words\n"
    assert len(trace.begin("", "00-zz-1-01").trace_id) == 32
