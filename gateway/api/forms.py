"""A form on its way in: text fields speak of the files after them, each file has its own outcome."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from acervo.gateway.v1 import upload_service_pb2 as pb
from gateway.api import translate
from gateway.api.multipart import Event, Field, FileBegin, FormParser
from gateway.domain.errors import UploadIncomplete, UploadTooLarge
from gateway.domain.upload import Announced, Upload, numbered
from gateway.use_cases.taking_in import Receiving, TakingIn
from serving.errors import InvalidInput, ServiceError
from serving.layers import valid_request
from storage.blobs import Blob

TEXT_FIELDS = ("collection", "document_key", "metadata", "request_id")
# Types that say nothing: what browsers and curl write where they do not know.
UNTOLD_TYPES = frozenset({"application/octet-stream", "application/x-www-form-urlencoded"})


@dataclass(slots=True)
class FormFile:
    """One file of a form. It has an error, or both a blob and an upload once the form is complete."""

    file_name: str
    size_bytes: int = 0
    upload: Upload | None = None
    receiving: Receiving | None = None
    blob: Blob | None = None
    error: ServiceError | None = None


@dataclass(slots=True)
class _Spoken:
    """What the text fields have said so far."""

    request: pb.UploadRequest
    media_type: str = ""
    tags_are_old: bool = True  # the next tag begins a new list
    keyed: bool = False  # a field has given the next file its key
    behind: str = ""  # the last field since the last file
    files: list[FormFile] = field(default_factory=list)


async def receive_form(first: pb.UploadRequest, pieces: AsyncIterator[bytes], taking_in: TakingIn) -> list[FormFile]:
    """Receive a whole form; only then are its files given names. Raises InvalidInput, UploadTooLarge, DiskLow."""
    parser = FormParser(first.body.content_type)
    request = pb.UploadRequest()
    request.CopyFrom(first)
    request.ClearField("body")
    spoken = _Spoken(request)
    received_bytes = 0
    async with AsyncExitStack() as open_files:
        async for piece in pieces:
            received_bytes += len(piece)
            taking_in.capacity.check_form_size(received_bytes)
            for event in parser.feed(piece):
                await _take(event, spoken, taking_in, open_files)
        if not parser.complete:
            raise UploadIncomplete
        _check_nothing_behind(spoken)
        files = _real(spoken.files)
        _check_meant(first, files)
        for number, file in enumerate(files, start=1):
            await _finish(file, number if len(files) > 1 else 0, first.sha256)
    return files


async def _take(event: Event, spoken: _Spoken, taking_in: TakingIn, open_files: AsyncExitStack) -> None:
    if isinstance(event, Field):
        _speak(spoken, event)
    elif isinstance(event, FileBegin):
        spoken.files.append(await _begin(event, spoken, taking_in, open_files))
    else:
        await _write(spoken.files[-1], event.data)


def _speak(spoken: _Spoken, said: Field) -> None:
    """Raises InvalidInput for a field that nobody reads: most often a misspelling."""
    spoken.behind = said.name[:64]
    request = spoken.request
    if said.name in TEXT_FIELDS:
        setattr(request, said.name, said.value)
        spoken.keyed = spoken.keyed or said.name == "document_key"
    elif said.name == "media_type":
        spoken.media_type = said.value
    elif said.name == "tags":
        if spoken.tags_are_old:
            request.ClearField("tags")
        request.tags.append(said.value)
        spoken.tags_are_old = False
    elif said.name == "priority":
        request.priority = _priority(said.value)
    else:
        known = ", ".join(sorted((*TEXT_FIELDS, "media_type", "priority", "tags")))
        raise InvalidInput(f"A form has no field {said.name[:64]!r}; it has: {known}.", field=said.name[:64])


async def _begin(event: FileBegin, spoken: _Spoken, taking_in: TakingIn, open_files: AsyncExitStack) -> FormFile:
    file = FormFile(event.file_name)
    spoken.behind = ""
    try:
        valid_request(spoken.request)
        media_type = spoken.media_type or told_type(event.media_type)
        file.upload = translate.upload_of_request(spoken.request, event.file_name, media_type)
        file.receiving = await open_files.enter_async_context(taking_in.begin())
    except InvalidInput as error:
        file.error = error
    spoken.media_type, spoken.tags_are_old = "", True
    if spoken.keyed:  # a key is for one file
        spoken.request.document_key, spoken.keyed = "", False
    return file


async def _write(file: FormFile, data: bytes) -> None:
    file.size_bytes += len(data)
    if file.receiving is None or file.error is not None:
        return  # read past, so that the files after it are taken
    try:
        await file.receiving.write(data)
    except UploadTooLarge as error:
        file.error = error


def _check_nothing_behind(spoken: _Spoken) -> None:
    """Raises InvalidInput for a field behind the last file: it would have no effect, which nobody would notice."""
    if spoken.files and spoken.behind:
        told = f"The field {spoken.behind!r} stands behind the files: fields come before the files that they speak of."
        raise InvalidInput(told, field=spoken.behind)


def _real(files: list[FormFile]) -> list[FormFile]:
    """Without those that a browser sends for an input that was left empty. Raises InvalidInput where none is left."""
    real = [file for file in files if file.file_name or file.size_bytes]
    if not real:
        raise InvalidInput("The form has no file: a file's part has a filename.", field="body")
    return real


def _check_meant(first: pb.UploadRequest, files: list[FormFile]) -> None:
    if len(files) > 1 and (first.document_key or first.sha256):
        told = "document_key and sha256 in the query fit one file; in a form of several, fields say the keys."
        raise InvalidInput(told, field="document_key" if first.document_key else "sha256")


async def _finish(file: FormFile, number: int, sha256: str) -> None:
    if file.error is not None or file.receiving is None or file.upload is None:
        return
    try:
        file.upload = numbered(file.upload, number) if number else file.upload
        file.blob = await file.receiving.finish(Announced(sha256=sha256))
    except InvalidInput as error:
        file.error = error


def told_type(content_type: str) -> str:
    """A media type that says something; empty where it does not."""
    return "" if content_type.partition(";")[0].strip().lower() in UNTOLD_TYPES else content_type


def _priority(text: str) -> int:
    if len(text) == 1 and text.isascii() and text.isdigit():
        return int(text)
    raise InvalidInput("A priority is a digit from 0 to 9.", field="priority")
