"""TextService: takes texts in, all of a call as one job."""

import asyncio

from google.protobuf.json_format import MessageToJson

from acervo.gateway.v1 import text_service_pb2 as pb
from acervo.gateway.v1.text_service_pb2_grpc import TextServiceServicer
from gateway.api import translate
from gateway.api.accepting import Accepting
from gateway.api.idempotency import agreed_request_id
from gateway.domain.texts import SentText, as_lines, settled
from gateway.domain.upload import DEFAULT_COLLECTION, DEFAULT_PRIORITY, Announced, Upload, UploadKind
from gateway.use_cases.taking_in import TakingIn
from serving.interceptors import Context
from serving.layers import valid_request

ACCEPTED = "202"


class TextApi(TextServiceServicer):
    """Serves texts."""

    def __init__(self, taking_in: TakingIn, accepting: Accepting) -> None:
        self._taking_in = taking_in
        self._accepting = accepting

    async def UpsertTexts(self, request: pb.UpsertTextsRequest, context: Context) -> pb.UpsertTextsResponse:
        request_id = agreed_request_id(context, request.request_id)
        if request_id != request.request_id:
            request.request_id = request_id
            valid_request(request)
        lines = await asyncio.to_thread(_lines, request)
        self._taking_in.admit(len(lines))
        async with self._taking_in.begin() as receiving:
            await receiving.write(lines)
            blob = await receiving.finish(Announced(len(lines)))
        job = await self._accepting.accept(_upload(request), blob)
        job_id = translate.job_id(job.name)
        # The edge turns the first into the HTTP status.
        await context.send_initial_metadata((("x-http-code", ACCEPTED), ("location", f"/api/v1/rag/jobs/{job_id}")))
        return pb.UpsertTextsResponse(job_id=job_id, status=translate.short_state(job), job=job)


def _lines(request: pb.UpsertTextsRequest) -> bytes:
    return as_lines(settled([_text(text) for text in request.texts]))


def _text(message: pb.Text) -> SentText:
    metadata = MessageToJson(message.metadata, indent=None) if message.HasField("metadata") else ""
    tags = tuple(message.tags)
    return SentText(message.key, message.text, message.title, message.media_type, metadata, tags)


def _upload(request: pb.UpsertTextsRequest) -> Upload:
    return Upload(
        document_key="",
        file_name="",
        collection=request.collection.removeprefix("collections/") or DEFAULT_COLLECTION,
        priority=request.priority if request.HasField("priority") else DEFAULT_PRIORITY,
        request_id=request.request_id,
        kind=UploadKind.TEXTS,
    )
