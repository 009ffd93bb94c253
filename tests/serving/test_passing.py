"""What a client of a server that passes calls on sees of the one behind it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest

from acervo.rag.v1 import ingest_service_pb2, search_service_pb2
from serving.passing import PassingOn, methods_with_streamed_requests
from serving.server import listen

CONTRACTS = {"IngestService": ingest_service_pb2, "SearchService": search_service_pb2}
UPLOAD = "/t.Test/Upload"
PIECE = bytes(64 << 10)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async def upload(requests: AsyncIterator[bytes], context: Any) -> bytes:
        count = 0
        async for _ in requests:
            count += 1
            if count == 2 and ("test-refuse", "yes") in context.invocation_metadata():
                await context.abort(grpc.StatusCode.ALREADY_EXISTS, "it is there", (("retry-after", "3"),))
        return b"%d" % count

    handlers: dict[str, Any] = {"Upload": grpc.stream_unary_rpc_method_handler(upload)}
    inner, inner_port = listen("127.0.0.1:0", ())
    inner.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("t.Test", handlers),))
    await inner.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{inner_port}") as channel:
        outer, port = listen("127.0.0.1:0", ())
        outer.add_generic_rpc_handlers((PassingOn(channel, [UPLOAD]),))
        await outer.start()
        yield port
        await outer.stop(0)
    await inner.stop(0)


def pieces(count: int) -> Iterator[bytes]:
    return iter([PIECE] * count)


async def test_a_stream_that_the_server_ends_early_keeps_its_status(port: int) -> None:
    # The asynchronous client has the fault that is got round here, so the other one asks.
    def refused() -> grpc.RpcError:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            upload: Any = channel.stream_unary(UPLOAD)
            with pytest.raises(grpc.RpcError) as raised:
                upload(pieces(100), metadata=(("test-refuse", "yes"),), timeout=30)
            return raised.value

    for _ in range(20):
        error: Any = await asyncio.to_thread(refused)
        assert (error.code(), error.details()) == (grpc.StatusCode.ALREADY_EXISTS, "it is there")
        assert ("retry-after", "3") in tuple(error.trailing_metadata())


async def test_a_long_stream_arrives_whole(port: int) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        upload: Any = channel.stream_unary(UPLOAD)
        assert await upload(pieces(500), timeout=30) == b"500"


def test_streams_of_requests_are_told_by_the_contracts() -> None:
    services = [module.DESCRIPTOR.services_by_name[name].full_name for name, module in CONTRACTS.items()]
    assert methods_with_streamed_requests(services) == (
        "/acervo.rag.v1.IngestService/Ingest",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    )
