"""Native gRPC with reflection, and gRPC-Web, through Envoy."""

import hashlib
import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx

from acervo.rag.v1 import (
    ingest_service_pb2,
    ingest_service_pb2_grpc,
    job_pb2,
    job_service_pb2,
    job_service_pb2_grpc,
    search_service_pb2,
    search_service_pb2_grpc,
)
from bench.client import Client
from bench.pdf import text_pdf
from bench.stack import Stack
from tests.system import documents

BUF = str(Path(sys.executable).parent / "buf")
PIECE_BYTES = 64 * 1024


def test_reflection_lists_the_services(stack: Stack) -> None:
    listed = set(buf_curl("--list-services", stack.url).split())
    names = ("Ingest", "Job", "Document", "Collection", "Search", "System")
    assert {f"acervo.rag.v1.{name}Service" for name in names} <= listed
    assert {f"acervo.gateway.v1.{name}Service" for name in ("Upload", "Event", "Edge")} <= listed


def test_a_search_by_reflection_finds(stack: Stack, client: Client, collection: str) -> None:
    word = documents.new_word()
    client.take_in("ata.txt", documents.text(word), collection)
    request = json.dumps({"query": f"manutenção {word}", "collection": collection, "limit": 3})
    answer = json.loads(buf_curl("-d", request, f"{stack.url}/acervo.rag.v1.SearchService/Search"))
    assert word in answer["hits"][0]["text"]


def test_an_ingest_by_stubs_tells_its_life_and_ends_found(channel: grpc.Channel, collection: str) -> None:
    word = documents.new_word()
    content = text_pdf(3, 120, word)
    job = ingest(channel, content, collection, "livro.pdf")
    stub = job_service_pb2_grpc.JobServiceStub(channel)
    snapshots = [answer.job for answer in stub.JobStatus(job_service_pb2.JobStatusRequest(name=job.name), timeout=60)]
    revisions = [snapshot.revision for snapshot in snapshots]
    assert revisions == sorted(revisions)
    assert snapshots[-1].state == job_pb2.JOB_STATE_SUCCEEDED
    assert snapshots[-1].progress.pages_done == 120
    assert {snapshot.name for snapshot in snapshots} == {job.name}
    assert {snapshot.sha256 for snapshot in snapshots} == {hashlib.sha256(content).hexdigest()}
    searches = search_service_pb2_grpc.SearchServiceStub(channel)
    request = search_service_pb2.SearchRequest(query=word, collection=collection, min_sequence=snapshots[-1].sequence)
    assert word in searches.Search(request, timeout=20).hits[0].text


def test_bytes_that_are_not_those_announced_are_refused(channel: grpc.Channel, collection: str) -> None:
    stub = ingest_service_pb2_grpc.IngestServiceStub(channel)
    parts = list(messages(b"verdade", collection, "a.txt"))
    parts[-1].end.sha256 = hashlib.sha256(b"mentira").hexdigest()
    error = stub.Ingest.future(iter(parts), timeout=20).exception()
    assert isinstance(error, grpc.RpcError)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_search_over_grpc_web_is_answered_in_frames(stack: Stack, client: Client, collection: str) -> None:
    word = documents.new_word()
    client.take_in("ata.txt", documents.text(word), collection)
    request = search_service_pb2.SearchRequest(query=word, collection=collection).SerializeToString()
    answer = httpx.post(
        f"{stack.url}/acervo.rag.v1.SearchService/Search",
        content=struct.pack(">BI", 0, len(request)) + request,
        headers={"content-type": "application/grpc-web+proto", "x-grpc-web": "1"},
        timeout=20,
        trust_env=False,
    )
    kind, length = struct.unpack(">BI", answer.content[:5])
    message, trailers = answer.content[5 : 5 + length], answer.content[5 + length :]
    assert (answer.http_version, kind, trailers[0]) == ("HTTP/1.1", 0, 0x80)
    assert b"grpc-status:0" in trailers
    assert word in search_service_pb2.SearchResponse.FromString(message).hits[0].text


def ingest(channel: grpc.Channel, content: bytes, collection: str, file_name: str) -> job_pb2.Job:
    """Admission, then the bytes, as a careful client does it."""
    stub = ingest_service_pb2_grpc.IngestServiceStub(channel)
    parts = list(messages(content, collection, file_name))
    admitted = stub.BeginIngest(ingest_service_pb2.BeginIngestRequest(header=parts[0].header), timeout=20)
    assert not admitted.HasField("existing_job")
    assert admitted.max_piece_bytes >= PIECE_BYTES
    return stub.Ingest(iter(parts), timeout=60).job


def messages(content: bytes, collection: str, file_name: str) -> Iterator[ingest_service_pb2.IngestRequest]:
    header = ingest_service_pb2.IngestHeader(collection=collection, file_name=file_name)
    yield ingest_service_pb2.IngestRequest(header=header)
    for start in range(0, len(content), PIECE_BYTES):
        yield ingest_service_pb2.IngestRequest(piece=content[start : start + PIECE_BYTES])
    end = ingest_service_pb2.IngestEnd(size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    yield ingest_service_pb2.IngestRequest(end=end)


def buf_curl(*arguments: str) -> str:
    command = [BUF, "curl", "--http2-prior-knowledge", "--protocol", "grpc", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
