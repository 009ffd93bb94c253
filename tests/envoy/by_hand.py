"""HTTP written by hand: clients that read while they still send."""

import asyncio
import json
from typing import Any

from tests.envoy.conftest import Edge


async def exchange(edge: Edge, path: str, header: str, body: list[bytes]) -> tuple[int, Any]:
    """Send a request by hand and read the answer while the body is still going out, as curl and browsers do."""
    host, port = edge.address.split(":")
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"POST {path} HTTP/1.1\r\nhost: {host}\r\n{header}\r\n\r\n".encode())
        sending = asyncio.create_task(send(writer, body))
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().splitlines() if line.startswith(b"content-length"))
        answer = await reader.readexactly(int(length.split(b":")[1]))
        sending.cancel()
        writer.close()
    return int(head.split()[1]), json.loads(answer)


async def send(writer: asyncio.StreamWriter, body: list[bytes]) -> None:
    for piece in body:
        writer.write(piece)
        await writer.drain()
