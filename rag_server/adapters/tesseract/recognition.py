"""Recognises text in pictures with Tesseract, where the machine has it."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import rag_server
from rag_server.adapters.extractor_process.pictures import UnreadablePicture
from rag_server.adapters.tesseract.unwrapping import unwrapped

PROGRAM = "tesseract"
_MEMORY_BYTES = 1 << 30
_MAX_TEXT_BYTES = 4 << 20
_ASKING_TIMEOUT_S = 20
_DEBIAN_PACKAGES = "tesseract-ocr, and tesseract-ocr-por for Portuguese"


class Tesseract:
    """A PictureReader. One process per page: it is small beside the work, and nothing of a page outlives it."""

    def __init__(self, languages: str, program: str = PROGRAM) -> None:
        """`languages` as Tesseract has them, such as `por+eng`. Looks whether they are there; nothing is refused."""
        self._languages = languages
        self._program = shutil.which(program)
        self.why_not = _why_not(self._program, languages)

    async def read(self, png: bytes, timeout_s: float) -> str:
        process = await asyncio.create_subprocess_exec(
            *self._command(timeout_s),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=_environment(),
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(timeout_s):
                text = await _converse(process, png)
        except TimeoutError as error:
            raise UnreadablePicture from error
        finally:
            await _end(process)
        if process.returncode != 0:
            raise UnreadablePicture
        return unwrapped(text.decode("utf-8", "replace"))

    def _command(self, timeout_s: float) -> list[str]:
        options = {
            "parent-pid": os.getpid(),
            "memory-bytes": _MEMORY_BYTES,
            "cpu-s": timeout_s,
            "program": self._program,
            "languages": self._languages,
        }
        module = ["-B", "-P", "-s", "-m", "rag_server.adapters.tesseract.confined"]
        return [sys.executable, *module, *(f"--{name}={value}" for name, value in options.items())]


async def _converse(process: asyncio.subprocess.Process, png: bytes) -> bytes:
    """Hand the picture over and take the text, which must be of a bounded size."""
    stdin, stdout = process.stdin, process.stdout
    if stdin is None or stdout is None:  # both were asked for
        raise UnreadablePicture
    with contextlib.suppress(ConnectionError):  # it ended before it had read all
        stdin.write(png)
        await stdin.drain()
    stdin.close()
    text = bytearray()
    while piece := await stdout.read(1 << 16):
        text += piece
        if len(text) > _MAX_TEXT_BYTES:
            raise UnreadablePicture
    await process.wait()
    return bytes(text)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _environment() -> dict[str, str]:
    """Nothing of the parent's but where the languages are: its environment may hold secrets."""
    environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONPATH": str(Path(rag_server.__file__).parents[1])}
    folder = os.environ.get("TESSDATA_PREFIX")
    return {**environment, "TESSDATA_PREFIX": folder} if folder else environment


def _why_not(program: str | None, languages: str) -> str:
    """A sentence for people, "" if all is there."""
    if program is None:
        return f"ACERVO_OCR is set, but Tesseract is not installed: install it (Debian: {_DEBIAN_PACKAGES})."
    try:
        listing = subprocess.run(  # noqa: S603 - the program that the operator installed
            [program, "--list-langs"], capture_output=True, text=True, timeout=_ASKING_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return "ACERVO_OCR is set, but Tesseract does not run on this machine."
    missing = sorted(set(languages.split("+")) - set(listing.stdout.split()))
    if missing:
        return f"ACERVO_OCR names languages that Tesseract does not have here: {', '.join(missing)}."
    return ""
