"""Puts the process that speaks gRPC together."""

import asyncio
import socket
import time

import grpc

from rag_server.adapters.front_process.process import FrontOrder
from serving import trace
from serving.garbage import collect_seldom
from serving.interceptors import Call, Context
from serving.layers import access_logged, errors_to_status, identified
from serving.line import Asked, Asking, Failed
from serving.passing import PassingOn
from serving.server import GRACE_S, PortTaken, listen

SERVICE = "acervo.rag.v1.SearchService"
METHOD = "Search"
REBIND_S = 3.0  # the one before may still be telling its last answers
FLUSH_S = 1.0  # to say that calls failed
CODES = {code.value[0]: code for code in grpc.StatusCode}


async def listening(order: FrontOrder) -> None:
    """Hand calls on until `serve` says stop, or is gone."""
    on_line = socket.socket(fileno=order.line_fd)
    _, line = await asyncio.get_running_loop().create_unix_connection(Asking, sock=on_line)
    options = [("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", -1)]
    async with grpc.aio.insecure_channel(order.inner, options=options) as channel:
        try:
            server, port = await _bound(order.listen)
        except PortTaken:
            line.tell(b"0")
        else:
            server.add_generic_rpc_handlers((_searches(line), PassingOn(channel, order.streamed)))
            await server.start()
            collect_seldom()
            line.tell(b"%d" % port)
            await server.stop(GRACE_S if await line.told else FLUSH_S)


async def _bound(address: str) -> tuple[grpc.aio.Server, int]:
    """Raises PortTaken."""
    give_up_s = time.monotonic() + REBIND_S
    while True:
        try:
            return listen(address, ())
        except PortTaken:
            if time.monotonic() >= give_up_s:
                raise
            await asyncio.sleep(0.1)


def _searches(line: Asking) -> grpc.GenericRpcHandler:
    async def search(message: bytes, context: Context) -> bytes:
        call = Call(f"/{SERVICE}/{METHOD}", None, context)
        async with identified(call), access_logged(call), errors_to_status(call):
            now = trace.current()
            try:
                return await line.ask(Asked(message, now.request_id, now.traceparent, context.time_remaining()))
            except Failed as failed:
                await context.abort(CODES[failed.code], failed.details, tuple(failed.trailing))

    return grpc.method_handlers_generic_handler(SERVICE, {METHOD: grpc.unary_unary_rpc_method_handler(search)})
