"""A client that vanishes in the middle of an upload leaves nothing behind."""

import http.client
import socket
import threading
from collections.abc import Iterator

import grpc

from acervo.rag.v1 import ingest_service_pb2, ingest_service_pb2_grpc
from bench.stack import Stack
from bench.waiting import until
from tests.system.store import Store

MIB = 1 << 20
ANNOUNCED_BYTES = 4 * MIB
SENT_BYTES = 3 * MIB  # enough for the gateway to have begun a file
DEADLINE_S = 20.0
BOUNDARY = "fronteira"


def test_a_raw_body_that_breaks_off_leaves_nothing(stack: Stack, store: Store) -> None:
    before = store.everything()
    head = f"content-type: text/plain\r\ncontent-length: {ANNOUNCED_BYTES}"
    with begun_upload(stack, head) as connection:
        connection.sendall(b"x" * SENT_BYTES)
        wait_until_begun(store)
    assert_nothing_stays(store, before)


def test_a_form_that_breaks_off_in_its_second_file_leaves_nothing(stack: Stack, store: Store) -> None:
    before = store.everything()
    head = f"content-type: multipart/form-data; boundary={BOUNDARY}\r\ncontent-length: {ANNOUNCED_BYTES}"
    with begun_upload(stack, head) as connection:
        connection.sendall(form_part("primeiro.txt") + b"completo\r\n" + form_part("segundo.txt"))
        connection.sendall(b"x" * SENT_BYTES)
        wait_until_begun(store)
    assert_nothing_stays(store, before)


def test_a_form_without_its_closing_boundary_is_refused_and_leaves_nothing(stack: Stack, store: Store) -> None:
    before = store.everything()
    connection = http.client.HTTPConnection(stack.edge, timeout=DEADLINE_S)
    headers = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    connection.request("POST", "/api/v1/rag/upload", form_part("a.txt") + b"x" * SENT_BYTES, headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 400
    assert b"UPLOAD_INCOMPLETE" in body
    assert_nothing_stays(store, before)


def test_a_native_upload_that_is_cancelled_leaves_nothing(channel: grpc.Channel, store: Store) -> None:
    before = store.everything()
    gone = threading.Event()
    stub = ingest_service_pb2_grpc.IngestServiceStub(channel)
    call = stub.Ingest.future(endless_upload(gone), timeout=60)
    wait_until_begun(store)
    call.cancel()
    gone.set()
    assert_nothing_stays(store, before)


def test_a_native_upload_without_its_end_message_leaves_nothing(channel: grpc.Channel, store: Store) -> None:
    before = store.everything()
    ended = threading.Event()
    ended.set()
    stub = ingest_service_pb2_grpc.IngestServiceStub(channel)
    error = stub.Ingest.future(endless_upload(ended), timeout=60).exception()
    assert isinstance(error, grpc.RpcError)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert_nothing_stays(store, before)


def begun_upload(stack: Stack, head: str) -> socket.socket:
    host, port = stack.edge.split(":")
    connection = socket.create_connection((host, int(port)), timeout=DEADLINE_S)
    connection.sendall(
        f"POST /api/v1/rag/upload?file_name=meio.txt HTTP/1.1\r\nhost: {host}\r\n{head}\r\n\r\n".encode()
    )
    return connection


def form_part(file_name: str) -> bytes:
    return (
        f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="{file_name}"\r\n'
        "content-type: text/plain\r\n\r\n"
    ).encode()


def endless_upload(gone: threading.Event) -> Iterator[ingest_service_pb2.IngestRequest]:
    yield ingest_service_pb2.IngestRequest(header=ingest_service_pb2.IngestHeader(file_name="meio.txt"))
    for _ in range(SENT_BYTES // (256 * 1024)):
        yield ingest_service_pb2.IngestRequest(piece=b"x" * 256 * 1024)
    gone.wait(DEADLINE_S)


def wait_until_begun(store: Store) -> None:
    until(lambda: bool(store.incoming()), DEADLINE_S, "the gateway has begun a file")


def assert_nothing_stays(store: Store, before: tuple[set[str], set[str], set[str]]) -> None:
    until(lambda: not store.incoming(), DEADLINE_S, "the begun file is gone")
    assert store.everything() == before
