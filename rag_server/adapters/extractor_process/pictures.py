"""Pages that are pictures: the child sends them as PNG, and the parent has their text recognised elsewhere.

The child itself may start no program; whoever recognises text answers for its own confinement.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Protocol

MAX_PICTURE_BYTES = 32 << 20
# Of the encoded picture, in one frame.
PIECE_BYTES = 1 << 20
_PNG = b"\x89PNG\r\n\x1a\n"


class PictureReader(Protocol):
    """Recognises the text of pictures."""

    @property
    def why_not(self) -> str:
        """A sentence for people that says why text in pictures is not read, "" if it is."""

    async def read(self, png: bytes, timeout_s: float) -> str:
        """The text of a page, "" if it has none.

        :raises UnreadablePicture: it could not be recognised in time, or at all.
        """


class UnreadablePicture(Exception):
    """The text of a picture could not be recognised."""


class NoPictureReader:
    """The PictureReader where nobody asked for one."""

    why_not = "Text in pictures is not read here; with Tesseract installed, ACERVO_OCR=por+eng turns it on."

    async def read(self, png: bytes, timeout_s: float) -> str:  # noqa: ARG002 - the protocol's
        raise UnreadablePicture


class PictureInPieces:
    """A picture on its way in, checked like everything the child says."""

    def __init__(self) -> None:
        self._data = bytearray()
        self.is_open = False

    def take(self, message: Mapping[str, Any]) -> bytes | None:
        """Take one piece; the whole picture after the last.

        :raises ValueError: it is too large, or no PNG.
        """
        try:
            self._data += base64.b64decode(message["data"], validate=True)
        except binascii.Error as error:
            raise ValueError("picture") from error
        self.is_open = message["more"] is True
        if len(self._data) > MAX_PICTURE_BYTES or not self._data.startswith(_PNG):
            raise ValueError("picture")
        if self.is_open:
            return None
        whole = bytes(self._data)
        self._data.clear()
        return whole
