"""UploadService: takes documents in over HTTP, as a form or as one raw body."""

import asyncio
from collections.abc import AsyncIterator

from acervo.gateway.v1 import upload_service_pb2 as pb
from acervo.gateway.v1.upload_service_pb2_grpc import UploadServiceServicer
from gateway.api import translate
from gateway.api.accepting import Accepting
from gateway.api.forms import FormFile, receive_form, told_type
from gateway.api.idempotency import agreed
from gateway.api.multipart import is_form
from gateway.domain.errors import UploadIncomplete
from gateway.domain.upload import Announced
from gateway.use_cases.taking_in import TakingIn
from serving import status, trace
from serving.errors import InvalidInput, ServiceError
from serving.interceptors import Context
from serving.layers import valid_request

ACCEPTED = "202"


class UploadApi(UploadServiceServicer):
    """Serves HTTP uploads."""

    def __init__(self, taking_in: TakingIn, accepting: Accepting) -> None:
        self._taking_in = taking_in
        self._accepting = accepting

    async def Upload(self, requests: AsyncIterator[pb.UploadRequest], context: Context) -> pb.UploadResponse:
        headers = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        first = await _first(requests, headers.get("idempotency-key", ""))
        announced = Announced(_length(headers), first.sha256)
        pieces = _pieces(_taken_out(first), requests)
        if is_form(first.body.content_type):
            self._taking_in.capacity.check_form_size(announced.size_bytes or 0)
            self._taking_in.admit(0)
            files = await receive_form(first, pieces, self._taking_in)
        else:
            files = [await self._receive_raw(first, pieces, announced)]
        response = await self._answer(files)
        location = f"/api/v1/rag/jobs/{response.job_id}"
        # The edge turns the first into the HTTP status.
        await context.send_initial_metadata((("x-http-code", ACCEPTED), ("location", location)))
        return response

    async def _receive_raw(
        self, first: pb.UploadRequest, pieces: AsyncIterator[bytes], announced: Announced
    ) -> FormFile:
        if announced.size_bytes is None and not announced.sha256:
            raise InvalidInput("A raw body needs a Content-Length or a sha256.", field="sha256")
        upload = translate.upload_of_request(first, first.file_name, told_type(first.body.content_type))
        self._taking_in.admit(announced.size_bytes or 0)
        async with self._taking_in.begin() as receiving:
            async for piece in pieces:
                await receiving.write(piece)
            # A client that vanished looks like a clean end of the stream: only the count tells.
            if announced.size_bytes is not None and receiving.size_bytes < announced.size_bytes:
                received = str(receiving.size_bytes)
                raise UploadIncomplete(received_bytes=received, announced_bytes=str(announced.size_bytes))
            blob = await receiving.finish(announced)
        return FormFile(first.file_name or first.document_key, upload=upload, blob=blob)

    async def _answer(self, files: list[FormFile]) -> pb.UploadResponse:
        """Make the jobs, in order, and tell them. Raises the first error where no file was accepted."""
        told = await asyncio.gather(*(self._outcome(file) for file in files))
        accepted = [outcome for outcome in told if outcome.HasField("job")]
        if not accepted:
            raise next(file.error for file in files if file.error is not None)
        job = accepted[0].job
        return pb.UploadResponse(job_id=translate.job_id(job.name), status=translate.short_state(job), files=told)

    async def _outcome(self, file: FormFile) -> pb.UploadedFile:
        if file.upload is not None and file.blob is not None:
            try:
                job = await self._accepting.accept(file.upload, file.blob)
                return pb.UploadedFile(file_name=file.file_name, job=job)
            except ServiceError as error:
                file.error = error
        assert file.error is not None  # noqa: S101 - a file has a blob or an error
        return pb.UploadedFile(file_name=file.file_name, error=status.to_status(file.error, trace.current().request_id))


async def _first(requests: AsyncIterator[pb.UploadRequest], key_header: str) -> pb.UploadRequest:
    """The first message, with the header's request id in it. Raises UploadIncomplete, InvalidInput."""
    async for first in requests:
        first.request_id = agreed(key_header, first.request_id)
        valid_request(first)
        return first
    raise UploadIncomplete


def _taken_out(first: pb.UploadRequest) -> bytes:
    """The bytes of the first message, which is kept to the end: they are not to be kept with it."""
    data: bytes = first.body.data
    first.body.ClearField("data")
    return data


async def _pieces(head: bytes, requests: AsyncIterator[pb.UploadRequest]) -> AsyncIterator[bytes]:
    yield head
    del head
    async for request in requests:
        yield request.body.data


def _length(headers: dict[str, str]) -> int | None:
    """What the edge says of the body's length: the transcoder drops the header of that name."""
    text = headers.get("x-body-length", "")
    return int(text) if text.isascii() and text.isdigit() else None
