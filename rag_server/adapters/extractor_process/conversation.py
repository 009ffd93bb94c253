"""The child's end of the wire, blocking."""

import base64
import os
import socket
import time

from rag_server.adapters.extractor_process.frames import (
    LENGTH,
    PIECE_CHARS,
    Request,
    decode_request,
    encode,
    heading_fields,
    table_fields,
)
from rag_server.adapters.extractor_process.pictures import PIECE_BYTES
from rag_server.adapters.parsing.reading import DamagedPage, PicturePage, ReadPage, UnreadablePage

_ALIVE_EVERY_S = 2.0
_MAX_REQUEST_BYTES = 64 << 10


class Conversation:
    """Receives requests and answers them with frames."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._last_sent_s = 0.0

    def receive(self) -> tuple[Request, int] | None:
        """The next request and its document's descriptor, for the caller to close; None when the parent is gone."""
        data, descriptors, _, _ = socket.recv_fds(self._connection, _MAX_REQUEST_BYTES, 1)
        if not data:
            return None
        while len(data) < LENGTH.size or len(data) < LENGTH.size + LENGTH.unpack(data[: LENGTH.size])[0]:
            piece = self._connection.recv(_MAX_REQUEST_BYTES)
            if not piece:
                return None
            data += piece
        os.set_inheritable(descriptors[0], False)
        return decode_request(data[LENGTH.size :]), descriptors[0]

    def send(self, kind: str, **fields: object) -> None:
        self._connection.sendall(encode({"kind": kind, **fields}))
        self._last_sent_s = time.monotonic()

    def send_page(self, read: ReadPage) -> None:
        """A page in as many frames as its text needs."""
        if isinstance(read, UnreadablePage):
            self.send("skipped", number=read.number)
            return
        if isinstance(read, PicturePage):
            self._send_picture(read)
            return
        page = read.page if isinstance(read, DamagedPage) else read
        pieces = [page.text[start : start + PIECE_CHARS] for start in range(0, len(page.text), PIECE_CHARS)] or [""]
        for piece in pieces[:-1]:
            self.send("page", number=page.number, text=piece, more=True)
        self.send(
            "page",
            number=page.number,
            text=pieces[-1],
            more=False,
            headings=heading_fields(page.headings),
            tables=table_fields(page.tables),
            damaged=isinstance(read, DamagedPage),
        )

    def _send_picture(self, read: PicturePage) -> None:
        starts = range(0, len(read.png), PIECE_BYTES)
        for start in starts:
            data = base64.b64encode(read.png[start : start + PIECE_BYTES]).decode("ascii")
            self.send("picture", number=read.number, data=data, more=start != starts[-1])

    def send_alive(self) -> None:
        """Show that a long page gets on; sent every few seconds however often this is called."""
        if time.monotonic() - self._last_sent_s > _ALIVE_EVERY_S:
            self.send("alive")
