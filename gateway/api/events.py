"""EventService: the life of a job as server-sent events."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from google.api import httpbody_pb2
from google.protobuf.json_format import MessageToJson

from acervo.gateway.v1 import event_service_pb2 as pb
from acervo.gateway.v1.event_service_pb2_grpc import EventServiceServicer
from acervo.rag.v1 import job_pb2
from gateway.api import translate
from gateway.domain.snapshot import Snapshot
from gateway.use_cases.following import Following
from serving.errors import InvalidInput
from serving.interceptors import Context

CONTENT_TYPE = "text/event-stream"
RETRY = b"retry: 2000\n\n"
KEEP_ALIVE = b": keep-alive\n\n"
END = b"event: end\ndata: {}\n\n"
MAX_REVISION_DIGITS = 18
HEADERS = (("cache-control", "no-cache"), ("x-accel-buffering", "no"))


class EventApi(EventServiceServicer):
    """Serves streams of events."""

    def __init__(self, following: Following[job_pb2.Job]) -> None:
        self._following = following

    async def StreamJobEvents(
        self, request: pb.StreamJobEventsRequest, context: Context
    ) -> AsyncGenerator[pb.StreamJobEventsResponse]:
        shown = _last_event_id(context)
        begun = False
        async with aclosing(self._following.follow(translate.job_id(request.name))) as snapshots:
            async for snapshot in snapshots:
                if not begun:
                    # Not before the job is known to exist: until then an error still becomes an HTTP status.
                    await context.send_initial_metadata(HEADERS)
                    yield _message(RETRY, CONTENT_TYPE)
                    begun = True
                is_new = snapshot.ended or snapshot.revision > shown
                yield _message(_frame(snapshot) if is_new else KEEP_ALIVE)
                shown = max(shown, snapshot.revision)
        yield _message(END)


def _message(data: bytes, content_type: str = "") -> pb.StreamJobEventsResponse:
    return pb.StreamJobEventsResponse(body=httpbody_pb2.HttpBody(content_type=content_type, data=data))


def _frame(snapshot: Snapshot[job_pb2.Job]) -> bytes:
    data = MessageToJson(
        snapshot.content, preserving_proto_field_name=True, always_print_fields_with_no_presence=True, indent=None
    )
    return f"id: {snapshot.revision}\nevent: job\ndata: {data}\n\n".encode()


def _last_event_id(context: Context) -> int:
    """The revision that the client saw last; -1 where it saw none. Raises InvalidInput."""
    headers = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
    text = headers.get("last-event-id", "")
    if not text:
        return -1
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_REVISION_DIGITS):
        raise InvalidInput("Last-Event-ID must be the id of an event of this stream.", field="last-event-id")
    return int(text)
