"""A hundred uploads of 5 MB at once: how long from the last byte to the answer, and again with serve killed midway."""

import asyncio
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.client import FOUND
from bench.figures import Budget, Figure, percentile
from bench.pdf import pdf_pieces
from bench.subject import Subject

UPLOADS = 100
WEIGHT_BYTES = 5_000_000
PIECE_BYTES = 64 * 1024
SEND_BUFFER_BYTES = 64 * 1024
ANSWERED_S = 2.0
DEADLINE_S = 120.0
KILL_AFTER = 30  # answers


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of an upload."""

    status: int
    job_id: str
    answer_s: float  # from the last byte sent


def measure(subject: Subject) -> list[Figure]:
    """Valid PDFs with a page of text and 5 MB that no reader looks at, through Envoy."""
    weight = os.urandom(WEIGHT_BYTES)
    plain = asyncio.run(_all_at_once(subject, weight, "uploads", lambda _: None))
    figures = _figures(subject, "uploads", "100 uploads of 5 MB at once", plain)

    def kill_midway(answered: int) -> None:
        if answered == KILL_AFTER:
            subject.stack.kill("serve")

    killed = asyncio.run(_all_at_once(subject, weight, "uploads-killed", kill_midway))
    return figures + _figures(subject, "uploads_killed", "the same, serve killed midway", killed)


def _figures(subject: Subject, name: str, title: str, sent: list[Sent]) -> list[Figure]:
    jobs = [subject.client.wait(one.job_id, 240.0) for one in sent if one.job_id]
    lost = UPLOADS - len({job["document"] for job in jobs if job["state"] in FOUND})
    errors = sum(one.status != 202 for one in sent)  # noqa: PLR2004 - HTTP
    p99_s = percentile([one.answer_s for one in sent], 0.99)
    return [
        Figure(f"{name}_answer_p99_s", f"{title}: last byte to answer, p99", p99_s, "s", Budget(ANSWERED_S)),
        Figure(f"{name}_errors", f"{title}: errors", errors, "", Budget(0)),
        Figure(f"{name}_not_found", f"{title}: not found afterwards", lost, "", Budget(0)),
    ]


async def _all_at_once(
    subject: Subject, weight: bytes, collection: str, on_answer: Callable[[int], None]
) -> list[Sent]:
    host, port = subject.stack.edge.split(":")
    begun = asyncio.Barrier(UPLOADS)
    answered = 0

    async def upload(number: int) -> Sent:
        nonlocal answered
        pieces = list(pdf_pieces([f"Documento número {number} da remessa {collection}."], weight))
        async with asyncio.timeout(DEADLINE_S):
            reader, writer = await asyncio.open_connection(sock=await _connected(host, int(port)))
            writer.transport.set_write_buffer_limits(high=0)  # drain: until the kernel has it all
            await begun.wait()
            writer.write(_head(host, collection, number, sum(map(len, pieces))))
            for piece in pieces:
                for start in range(0, len(piece), PIECE_BYTES):
                    writer.write(piece[start : start + PIECE_BYTES])
                    await writer.drain()
            sent_s = time.perf_counter()
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            answer_s = time.perf_counter() - sent_s
            writer.close()
        answered += 1
        on_answer(answered)
        return Sent(int(head.split()[1]), _job_id(head), answer_s)

    return await asyncio.gather(*(upload(number) for number in range(UPLOADS)))


async def _connected(host: str, port: int) -> socket.socket:
    """A connection that keeps little to itself: what it calls sent has left, as it would on a network."""
    connection = socket.socket()
    connection.setblocking(False)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    await asyncio.get_running_loop().sock_connect(connection, (host, port))
    return connection


def _head(host: str, collection: str, number: int, size_bytes: int) -> bytes:
    path = f"/api/v1/rag/upload?collection={collection}&file_name=remessa-{number}.pdf"
    return (
        f"POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/pdf\r\ncontent-length: {size_bytes}\r\n\r\n"
    ).encode()


def _job_id(head: str) -> str:
    lines = (line for line in head.splitlines() if line.lower().startswith("location:"))
    return next(lines, "").rpartition("/")[2].strip()
