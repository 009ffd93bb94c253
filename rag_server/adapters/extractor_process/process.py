"""Reads documents in a parser child that may die without harm to anything but its own document."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path

from rag_server.adapters.extractor_process.answer import Answer, Misbehaved, parse_frame
from rag_server.adapters.extractor_process.child import Child, ChildGone, FrameTooLong
from rag_server.adapters.extractor_process.frames import Request, encode_request
from rag_server.adapters.extractor_process.pictures import NoPictureReader, PictureReader, UnreadablePicture
from rag_server.adapters.parsing import media_types
from rag_server.domain.extraction import Extraction, ExtractionLimits, SourceHints
from rag_server.domain.failure import Failure, FailureReason, IngestionFailed
from rag_server.domain.isolation import missing_layers
from rag_server.domain.language import with_language
from serving.errors import Unusable

PYMUPDF = "pymupdf"
PDFIUM = "pdfium"

_START_TIMEOUT_S = 30.0
_SHORT_CHARS = 2_000  # the language of so much is told sooner than a thread is asked
_RECYCLE_AFTER_DOCUMENTS = 200
_RECYCLE_ABOVE_BYTES = 400 << 20
# Sent by people and by the kernel, not by a parser's fault: the document gets another child.
_FROM_OUTSIDE = frozenset({-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP, -signal.SIGQUIT})
_MOST_CHILDREN_PER_DOCUMENT = 4
_NO_MEMORY_WORDS = ("bad_alloc", "memoryerror", "out of memory", "cannot allocate", "malloc")

_log = logging.getLogger(__name__)


class ExtractorUnavailable(Exception):
    """No parser child could be started: the machine is at fault, not the document."""


class SandboxMissing(Unusable):
    """A full sandbox is asked for, and this machine cannot build it."""


class _Died(Exception):
    """The child ended in the middle of a document."""

    def __init__(self, failure: Failure, *, from_outside: bool) -> None:
        super().__init__(failure.reason.value)
        self.failure = failure
        self.from_outside = from_outside


class ExtractorProcess:
    """The Extractor over one resident child, which is started when needed and replaced when it has served its time.

    Documents are read one after the other. To be used on the event loop of the main thread: the child dies with
    the thread that started it.
    """

    def __init__(
        self,
        pdf_engine: str = PYMUPDF,
        *,
        require_sandbox: bool = False,
        picture_reader: PictureReader | None = None,
        language_of: Callable[[str], str] | None = None,
        recycle_after_documents: int = _RECYCLE_AFTER_DOCUMENTS,
        recycle_above_bytes: int = _RECYCLE_ABOVE_BYTES,
    ) -> None:
        self._pdf_engine = pdf_engine
        self._require_sandbox = require_sandbox
        self._picture_reader = picture_reader or NoPictureReader()
        self._language_of = language_of
        self._recycle_after = recycle_after_documents
        self._recycle_above_bytes = recycle_above_bytes
        self._child: Child | None = None
        self._child_memory_bytes = 0
        self._documents_read = 0
        self._turn = asyncio.Lock()
        self.isolation = ""  # the layers around the child, known once the first has started

    @property
    def child_pid(self) -> int | None:
        """The child's process id, None while there is none."""
        return None if self._child is None else self._child.pid

    async def start(self, memory_bytes: int) -> None:
        """Start the child before there is a document; `memory_bytes` is what the documents' limits will say.

        :raises ExtractorUnavailable: :raises SandboxMissing:
        """
        async with self._turn:
            await self._ready_child(memory_bytes)

    async def extract(
        self,
        source: Path,
        hints: SourceHints,
        limits: ExtractionLimits,
        on_progress: Callable[[int, int], None],
    ) -> Extraction:
        async with self._turn:
            descriptor = _open(source, limits)
            try:
                extraction = await self._read(descriptor, hints, limits, on_progress)
            finally:
                os.close(descriptor)
        if self._language_of is None:
            return extraction
        if sum(len(page.text) for page in extraction.pages) <= _SHORT_CHARS:
            return with_language(extraction, self._language_of)
        return await asyncio.to_thread(with_language, extraction, self._language_of)

    async def close(self) -> None:
        """End the child. A document being read is given up when its task is cancelled, not here."""
        async with self._turn:
            await self._retire()

    async def _read(
        self, descriptor: int, hints: SourceHints, limits: ExtractionLimits, on_progress: Callable[[int, int], None]
    ) -> Extraction:
        deadline_s = _now_s() + limits.document_timeout_s
        engine = self._pdf_engine
        last_failure = Failure(FailureReason.PARSER_CRASHED)
        for _ in range(_MOST_CHILDREN_PER_DOCUMENT):
            answer = Answer(limits, self._picture_reader.why_not)
            request = Request(hints, limits, engine, wants_pictures=not self._picture_reader.why_not)
            try:
                await self._converse(descriptor, request, answer, on_progress, deadline_s)
            except _Died as died:
                last_failure = died.failure
                if died.from_outside:
                    continue
                if answer.has_text:
                    return answer.partial(died.failure)
                if not _may_help_to_change_engine(engine, answer, died.failure):
                    raise IngestionFailed(died.failure) from died
                engine = PDFIUM
            else:
                if answer.is_out_of_memory or self._is_worn():
                    await self._retire()
                return answer.outcome()
        raise IngestionFailed(last_failure)

    async def _converse(
        self,
        descriptor: int,
        request: Request,
        answer: Answer,
        on_progress: Callable[[int, int], None],
        deadline_s: float,
    ) -> None:
        """One document, one child, until the answer is over.

        :raises _Died: the child ended first, or was ended for saying nothing or something wrong.
        """
        child = await self._ready_child(request.limits.memory_bytes)
        try:
            os.lseek(descriptor, 0, os.SEEK_SET)
            child.send(encode_request(request), descriptor)
            while not answer.is_over:
                remaining_s = max(deadline_s - _now_s(), 0.0)
                payload = await child.receive(min(request.limits.page_timeout_s, remaining_s))
                completes_a_page = answer.accept(payload)
                if answer.pending_picture is not None:
                    answer.recognised(await self._recognise(answer.pending_picture, request.limits, deadline_s))
                    completes_a_page = True
                if completes_a_page:
                    on_progress(answer.pages_done, answer.pages_total)
            self._documents_read += 1
        except BaseException as error:
            raise await self._post_mortem(child, error, deadline_s) from error

    async def _recognise(self, png: bytes, limits: ExtractionLimits, deadline_s: float) -> str | None:
        """The text of a page, None if it could not be had in the time of a page."""
        remaining_s = deadline_s - _now_s()
        if remaining_s <= 0:
            raise TimeoutError
        try:
            return await self._picture_reader.read(png, min(limits.page_timeout_s, remaining_s))
        except UnreadablePicture:
            return None

    async def _post_mortem(self, child: Child, error: BaseException, deadline_s: float) -> BaseException:
        """End the child and find out what to say: `error` itself if it is not about the child."""
        self._child = None
        code = await (child.stop() if isinstance(error, ChildGone) else child.kill())
        if isinstance(error, TimeoutError):
            failure = Failure(FailureReason.TIMEOUT, detail={"limit": _which_timeout(deadline_s)})
        elif isinstance(error, Misbehaved | FrameTooLong):
            failure = Failure(FailureReason.PARSER_CRASHED, detail={"cause": "protocol"})
        elif isinstance(error, ChildGone):
            failure = _failure_of_exit(code, child.stderr_tail())
        else:
            return error
        _log.warning("extractor child ended", extra={"reason": failure.reason.value, **failure.detail})
        return _Died(failure, from_outside=isinstance(error, ChildGone) and code in _FROM_OUTSIDE)

    async def _ready_child(self, memory_bytes: int) -> Child:
        if self._child is not None and (not self._child.is_quiet or memory_bytes != self._child_memory_bytes):
            await self._retire()
        if self._child is None:
            self._child = await self._start(memory_bytes)
            self._child_memory_bytes = memory_bytes
            self._documents_read = 0
        return self._child

    async def _start(self, memory_bytes: int) -> Child:
        child = await Child.start(memory_bytes)
        try:
            ready = parse_frame(await child.receive(_START_TIMEOUT_S))
        except (TimeoutError, ChildGone, FrameTooLong, Misbehaved) as error:
            await child.kill()
            raise ExtractorUnavailable("the parser process does not start") from error
        except BaseException:
            await child.kill()
            raise
        self.isolation = str(ready.get("isolation", ""))[:100]
        missing = missing_layers(self.isolation)
        if self._require_sandbox and missing:
            await child.kill()
            told = f"this machine does not offer {' and '.join(missing)}, and ACERVO_REQUIRE_SANDBOX asks for it"
            raise SandboxMissing(told)
        return child

    def _is_worn(self) -> bool:
        child = self._child
        return child is not None and (
            self._documents_read >= self._recycle_after or child.resident_bytes() > self._recycle_above_bytes
        )

    async def _retire(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            await child.stop()


def _open(source: Path, limits: ExtractionLimits) -> int:
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise IngestionFailed(Failure(FailureReason.BLOB_MISSING)) from error
    size_bytes = os.fstat(descriptor).st_size
    if size_bytes <= limits.max_file_bytes:
        return descriptor
    os.close(descriptor)
    detail = {"which": "max_file_bytes", "asked": str(size_bytes), "allowed": str(limits.max_file_bytes)}
    raise IngestionFailed(Failure(FailureReason.LIMIT_EXCEEDED, detail=detail))


def _failure_of_exit(code: int, stderr: str) -> Failure:
    """Why a child that nobody here killed has ended."""
    if code == -signal.SIGXCPU:
        return Failure(FailureReason.TIMEOUT, detail={"limit": "cpu"})
    detail = {"signal": signal.Signals(-code).name} if code < 0 else {"exit_code": str(code)}
    complaint = stderr.lower()
    if code == -signal.SIGKILL or any(word in complaint for word in _NO_MEMORY_WORDS):
        return Failure(FailureReason.OUT_OF_MEMORY, detail=detail)
    return Failure(FailureReason.PARSER_CRASHED, detail=detail)


def _may_help_to_change_engine(engine: str, answer: Answer, failure: Failure) -> bool:
    # A parser that dies while opening has not yet said what it reads.
    is_pdf = answer.media_type in {media_types.PDF, ""}
    return engine != PDFIUM and is_pdf and failure.reason in {FailureReason.PARSER_CRASHED, FailureReason.OUT_OF_MEMORY}


def _which_timeout(deadline_s: float) -> str:
    return "document_timeout_s" if _now_s() >= deadline_s else "page_timeout_s"


def _now_s() -> float:
    return asyncio.get_running_loop().time()
