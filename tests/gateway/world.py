"""A gateway on a free port, the rag_server behind it, and what a client has in its hands."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from google.api.httpbody_pb2 import HttpBody
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

from acervo.gateway.v1 import upload_service_pb2
from acervo.gateway.v1.edge_service_pb2_grpc import EdgeServiceStub
from acervo.gateway.v1.event_service_pb2_grpc import EventServiceStub
from acervo.gateway.v1.openai_service_pb2_grpc import OpenAiServiceStub
from acervo.gateway.v1.text_service_pb2_grpc import TextServiceStub
from acervo.gateway.v1.upload_service_pb2_grpc import UploadServiceStub
from acervo.rag.v1 import ingest_service_pb2
from acervo.rag.v1.collection_service_pb2_grpc import CollectionServiceStub
from acervo.rag.v1.content_service_pb2_grpc import ContentServiceStub
from acervo.rag.v1.document_service_pb2_grpc import DocumentServiceStub
from acervo.rag.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from acervo.rag.v1.ingest_service_pb2_grpc import IngestServiceStub
from acervo.rag.v1.job_service_pb2_grpc import JobServiceStub
from acervo.rag.v1.queue_service_pb2_grpc import QueueServiceStub
from acervo.rag.v1.search_service_pb2_grpc import SearchServiceStub
from acervo.rag.v1.system_service_pb2_grpc import SystemServiceStub
from gateway.bootstrap import running
from gateway.settings import Settings
from storage.profile import Embedded, Profile
from tests.gateway.rag_server_stand_in import RagServerStandIn

if TYPE_CHECKING:
    from acervo.gateway.v1.edge_service_pb2_grpc import EdgeServiceAsyncStub
    from acervo.gateway.v1.event_service_pb2_grpc import EventServiceAsyncStub
    from acervo.gateway.v1.openai_service_pb2_grpc import OpenAiServiceAsyncStub
    from acervo.gateway.v1.text_service_pb2_grpc import TextServiceAsyncStub
    from acervo.gateway.v1.upload_service_pb2_grpc import UploadServiceAsyncStub
    from acervo.rag.v1.collection_service_pb2_grpc import CollectionServiceAsyncStub
    from acervo.rag.v1.content_service_pb2_grpc import ContentServiceAsyncStub
    from acervo.rag.v1.document_service_pb2_grpc import DocumentServiceAsyncStub
    from acervo.rag.v1.embedding_service_pb2_grpc import EmbeddingServiceAsyncStub
    from acervo.rag.v1.ingest_service_pb2_grpc import IngestServiceAsyncStub
    from acervo.rag.v1.job_service_pb2_grpc import JobServiceAsyncStub
    from acervo.rag.v1.queue_service_pb2_grpc import QueueServiceAsyncStub
    from acervo.rag.v1.search_service_pb2_grpc import SearchServiceAsyncStub
    from acervo.rag.v1.system_service_pb2_grpc import SystemServiceAsyncStub

BOUNDARY = "----form"
FORM_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


@dataclass(slots=True)
class World:
    """Everything that a test touches."""

    folder: Path
    rag_server: RagServerStandIn
    channel: grpc.aio.Channel

    @property
    def uploads(self) -> "UploadServiceAsyncStub":
        return UploadServiceStub(self.channel)

    @property
    def texts(self) -> "TextServiceAsyncStub":
        return TextServiceStub(self.channel)

    @property
    def ingest(self) -> "IngestServiceAsyncStub":
        return IngestServiceStub(self.channel)

    @property
    def jobs(self) -> "JobServiceAsyncStub":
        return JobServiceStub(self.channel)

    @property
    def documents(self) -> "DocumentServiceAsyncStub":
        return DocumentServiceStub(self.channel)

    @property
    def contents(self) -> "ContentServiceAsyncStub":
        return ContentServiceStub(self.channel)

    @property
    def collections(self) -> "CollectionServiceAsyncStub":
        return CollectionServiceStub(self.channel)

    @property
    def search(self) -> "SearchServiceAsyncStub":
        return SearchServiceStub(self.channel)

    @property
    def queue(self) -> "QueueServiceAsyncStub":
        return QueueServiceStub(self.channel)

    @property
    def embedding(self) -> "EmbeddingServiceAsyncStub":
        return EmbeddingServiceStub(self.channel)

    @property
    def openai(self) -> "OpenAiServiceAsyncStub":
        return OpenAiServiceStub(self.channel)

    @property
    def system(self) -> "SystemServiceAsyncStub":
        return SystemServiceStub(self.channel)

    @property
    def edge(self) -> "EdgeServiceAsyncStub":
        return EdgeServiceStub(self.channel)

    @property
    def events(self) -> "EventServiceAsyncStub":
        return EventServiceStub(self.channel)

    def blobs(self) -> list[str]:
        """The hashes of the stored files."""
        return sorted(path.name for path in (self.folder / "blobs").glob("[0-9a-f][0-9a-f]/*"))

    def incoming(self) -> list[str]:
        """Uploads under way."""
        return [path.name for path in (self.folder / "blobs" / "incoming").iterdir()]

    async def upload(self, data: bytes, name: str = "a.txt", **fields: str) -> upload_service_pb2.UploadResponse:
        """Upload a raw body, whole."""
        first = upload_service_pb2.UploadRequest(body=HttpBody(data=data), file_name=name, **fields)  # type: ignore[arg-type]  # all fields in use are texts
        return await self.uploads.Upload(iter([first]), metadata=(("x-body-length", str(len(data))),), timeout=20)


@asynccontextmanager
async def a_world(
    folder: Path,
    rag_server: RagServerStandIn | None = None,
    max_upload_bytes: int = 10_000_000,
    storage: Profile | None = None,
) -> AsyncIterator[World]:
    """A gateway with a fresh rag_server, which runs; or with the one given, as it is."""
    if rag_server is None:
        rag_server = RagServerStandIn()
        await rag_server.start()
    settings = Settings(
        storage=storage or Embedded(folder),
        near=folder / "near",
        listen="127.0.0.1:0",
        rag_servers=(f"127.0.0.1:{rag_server.port}",),
        max_upload_bytes=max_upload_bytes,
        min_free_bytes=0,
        log_level="INFO",
    )
    try:
        async with (
            running(settings) as gateway,
            grpc.aio.insecure_channel(f"127.0.0.1:{gateway.server.port}") as channel,
        ):
            yield World(folder, rag_server, channel)
            gateway.following.stop()
    finally:
        await rag_server.stop()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def header(key: str, **fields: str) -> ingest_service_pb2.IngestRequest:
    """The first message of an Ingest."""
    return ingest_service_pb2.IngestRequest(
        header=ingest_service_pb2.IngestHeader(document_key=key, file_name=key, **fields)  # type: ignore[arg-type]  # all fields in use are texts
    )


def parts(key: str, data: bytes, **fields: str) -> Iterator[ingest_service_pb2.IngestRequest]:
    """A whole Ingest."""
    yield header(key, **fields)
    for start in range(0, len(data), 262_144):
        yield ingest_service_pb2.IngestRequest(piece=data[start : start + 262_144])
    end = ingest_service_pb2.IngestEnd(size_bytes=len(data), sha256=sha256(data))
    yield ingest_service_pb2.IngestRequest(end=end)


def form(*form_parts: tuple[str, str | None, bytes], close: bool = True) -> bytes:
    """A form's body: (name, file name or None, content)."""
    lines = []
    for name, file_name, content in form_parts:
        file = "" if file_name is None else f'; filename="{file_name}"'
        lines.append(f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode())
        lines.append(content + b"\r\n")
    return b"".join(lines) + (f"--{BOUNDARY}--\r\n".encode() if close else b"")


def pieces(body: bytes, size: int = 1 << 20, **fields: str) -> Iterator[upload_service_pb2.UploadRequest]:
    """A form's body as the edge sends it: what is known stands in the first piece only."""
    cuts = [body[start : start + size] for start in range(0, len(body), size)]
    yield upload_service_pb2.UploadRequest(body=HttpBody(content_type=FORM_TYPE, data=cuts[0]), **fields)  # type: ignore[arg-type]  # all fields in use are texts
    for cut in cuts[1:]:
        yield upload_service_pb2.UploadRequest(body=HttpBody(data=cut))


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """The reason in a failed call's ErrorInfo."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # the stubs know the synchronous Call only
    info = ErrorInfo()
    assert status is not None
    assert any(detail.Unpack(info) for detail in status.details if detail.Is(info.DESCRIPTOR))
    return str(info.reason)


async def refused(call: Awaitable[object]) -> tuple[grpc.StatusCode, str]:
    """The code and the reason that a call fails with."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code(), reason_of(error)
    raise AssertionError("the call went through")


async def eventually(condition: Callable[[], bool | Awaitable[bool]], deadline_s: float = 20.0) -> None:
    """Return as soon as the condition holds."""
    async with asyncio.timeout(deadline_s):
        while True:
            held = condition()
            if held if isinstance(held, bool) else await held:
                return
            await asyncio.sleep(0.01)


def many(count: int, size: int = 1_000) -> Iterable[bytes]:
    """Different contents."""
    return (f"{number:05d}".encode() * (size // 5) for number in range(count))
