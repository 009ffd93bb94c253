"""A grpc.aio server with the habits of every Acervo service, from start to a clean end."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from serving import logs
from serving.errors import InUse
from serving.garbage import collect_seldom

LOG = logs.get(__name__)
DRAIN_S = 2.0  # load balancers look once a second
GRACE_S = 15.0  # for calls under way
# A body as large as the edge lets through, and what stands around it in its message; grpc's default is 4 MiB sharp.
LARGEST_REQUEST_BYTES = (4 << 20) + 65_536

OPTIONS = (
    ("grpc.so_reuseport", 0),  # a second server on the port must fail, not share it
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),  # or the edge's pings end in GOAWAY
    # The edge lets 16 KiB of headers through; the default limit is 8 KiB and answers RESOURCE_EXHAUSTED.
    ("grpc.max_metadata_size", 32_768),
    ("grpc.absolute_max_metadata_size", 65_536),
    # Without these two, a thousand uploads cost hundreds of megabytes of windows.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 65_536),
)


class PortTaken(InUse):
    """The address cannot be listened on."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is bound but not started, its health service, and its real port."""

    grpc: grpc.aio.Server
    health: health.aio.HealthServicer
    port: int

    async def start(self) -> None:
        """Answer calls. Health says NOT_SERVING until `ready`."""
        await self.health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
        await self.grpc.start()

    async def ready(self) -> None:
        """Say SERVING."""
        collect_seldom()
        await self.health.set("", health_pb2.HealthCheckResponse.SERVING)

    async def drain(self, drain_s: float = DRAIN_S) -> None:
        """Say NOT_SERVING, and wait for load balancers to hear of it."""
        await self.health.enter_graceful_shutdown()
        await asyncio.sleep(drain_s)

    async def stop(self, drain_s: float = DRAIN_S, grace_s: float = GRACE_S) -> None:
        """Drain, then let calls under way finish."""
        await self.drain(drain_s)
        await self.grpc.stop(grace_s)


def bind(
    address: str,
    interceptors: Sequence[grpc.aio.ServerInterceptor],
    services: Sequence[str],
    largest_request_bytes: int = LARGEST_REQUEST_BYTES,
) -> Server:
    """Make a server on `address` (host:port; port 0 picks a free one) with health and reflection.

    Raises PortTaken.
    """
    server, port = listen(address, interceptors, largest_request_bytes)
    checks = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    reflection.enable_server_reflection((*services, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    return Server(server, checks, port)


def listen(
    address: str,
    interceptors: Sequence[grpc.aio.ServerInterceptor],
    largest_request_bytes: int = LARGEST_REQUEST_BYTES,
) -> tuple[grpc.aio.Server, int]:
    """A server without any service, and its real port. Raises PortTaken."""
    limit = ("grpc.max_receive_message_length", largest_request_bytes)
    server = grpc.aio.server(interceptors=interceptors, options=(*OPTIONS, limit))
    try:
        return server, server.add_insecure_port(address)
    except RuntimeError as error:
        raise port_taken(address) from error


def port_taken(address: str) -> PortTaken:
    """The error that says what an operator has to look at."""
    return PortTaken(f"cannot listen on {address}: another program does, or the address is not this machine's")
