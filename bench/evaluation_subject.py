"""A stack of its own as the evaluation uses it: documents in, queries answered, all through the public API."""

import hashlib
import html
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Self

import grpc

from acervo.rag.v1.document_service_pb2 import ListDocumentsRequest
from acervo.rag.v1.document_service_pb2_grpc import DocumentServiceStub
from acervo.rag.v1.ingest_service_pb2 import IngestEnd, IngestHeader, IngestRequest
from acervo.rag.v1.ingest_service_pb2_grpc import IngestServiceStub
from acervo.rag.v1.job_pb2 import JOB_STATE_QUEUED, JOB_STATE_RUNNING
from acervo.rag.v1.job_service_pb2 import ListJobsRequest
from acervo.rag.v1.job_service_pb2_grpc import JobServiceStub
from acervo.rag.v1.search_service_pb2 import (
    DEGRADATION_NO_PHRASE,
    DEGRADATION_RERANK_PARTIAL,
    RERANK_OFF,
    RERANK_ON,
    SearchMode,
    SearchRequest,
    SearchResponse,
)
from acervo.rag.v1.search_service_pb2_grpc import SearchServiceStub
from bench.evaluation_data import CorpusDocument
from bench.waiting import until

COLLECTION = "evaluation"
UPLOADS_AT_ONCE = 16
PIECE_BYTES = 256 * 1024
MAX_MESSAGE_BYTES = 64 << 20
CALL_S = 60.0
TRIES = 20
LOOK_S = 0.5
INGEST_S = 3600.0
PAGE_SIZE = 250
LONGEST_QUERY_BYTES = 8192


class EvaluationSubject:
    """One collection of a running stack, over gRPC."""

    def __init__(self, server: str) -> None:
        options = [("grpc.max_receive_message_length", MAX_MESSAGE_BYTES), ("grpc.enable_http_proxy", 0)]
        self._channel = grpc.insecure_channel(server, options=options)
        self._ingest = IngestServiceStub(self._channel)
        self._jobs = JobServiceStub(self._channel)
        self._documents = DocumentServiceStub(self._channel)
        self._search = SearchServiceStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def take_in(self, documents: Sequence[CorpusDocument]) -> int:
        """Upload all, wait for the last; the sequence of it. Raises RuntimeError where one cannot be found."""
        with ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:
            for _ in pool.map(self._upload, range(len(documents)), documents):
                pass
        until(self._is_idle, INGEST_S, "all documents taken in", LOOK_S)
        stands = dict(self._standing())
        missing = [document.key for document in documents if document.key not in stands]
        # A document without a word has nothing that could be found.
        lost = [document.key for document in documents if document.key in set(missing) and document.text.strip()]
        if lost:
            raise RuntimeError(f"{len(lost)} documents were not taken in, {lost[0]!r} among them")
        return max(stands.values())

    def search(self, text: str, mode: str, limit: int, min_sequence: int = 0) -> tuple[list[str], float]:
        """The document keys of the hits, best first, and the seconds that the call took.

        The mode is that of a search, with `+RERANK` behind it where the best hits are to be reranked.
        """
        plain_mode, _, reranks = mode.partition("+")
        request = SearchRequest(
            query=_shortened(text),
            collection=COLLECTION,
            limit=limit,
            mode=SearchMode.Value(f"SEARCH_MODE_{plain_mode}"),
            min_sequence=min_sequence,
            rerank=RERANK_ON if reranks else RERANK_OFF,
        )
        begun_s = time.perf_counter()
        answer: SearchResponse = self._search.Search(request, timeout=CALL_S)
        elapsed_s = time.perf_counter() - begun_s
        # A reranker that is slow on this machine puts what it got to in order: that is what is measured.
        if not _MEASURED_TOO.issuperset(answer.degraded):
            raise RuntimeError("the answer to a query had to leave something out")
        return [hit.document_key for hit in answer.hits], elapsed_s

    def _upload(self, number: int, document: CorpusDocument) -> None:
        for attempt in range(TRIES):
            try:
                self._ingest.Ingest(_messages(number, document), timeout=CALL_S)
            except grpc.RpcError as error:
                # More is waiting than the server likes: it says so, and takes more a moment later.
                if error.code() not in _PASSING or attempt == TRIES - 1:
                    raise
                until(self._is_idle, INGEST_S, "the documents before taken in", LOOK_S)
            else:
                return

    def _is_idle(self) -> bool:
        request = ListJobsRequest(states=[JOB_STATE_QUEUED, JOB_STATE_RUNNING], page_size=1)
        return not self._jobs.ListJobs(request, timeout=CALL_S).jobs

    def _standing(self) -> Iterator[tuple[str, int]]:
        """Keys and sequences of the documents that can be found."""
        token = ""
        while True:
            request = ListDocumentsRequest(parent=f"collections/{COLLECTION}", page_size=PAGE_SIZE, page_token=token)
            page = self._documents.ListDocuments(request, timeout=CALL_S)
            yield from ((document.document_key, document.sequence) for document in page.documents)
            token = page.next_page_token
            if not token:
                return


_MEASURED_TOO = frozenset({DEGRADATION_NO_PHRASE, DEGRADATION_RERANK_PARTIAL})
_PASSING = frozenset({grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE})


def as_page(document: CorpusDocument) -> bytes:
    """The document as a web page: what is a title in the set is one there, and a line is a paragraph."""
    title = html.escape(document.title.strip())
    head, heading = (f"<title>{title}</title>", f"<h1>{title}</h1>") if title else ("", "")
    paragraphs = "".join(f"<p>{html.escape(line)}</p>\n" for line in document.text.splitlines() if line.strip())
    page = f'<!doctype html>\n<meta charset="utf-8">{head}\n<body>{heading}\n{paragraphs}</body>'
    return page.encode("utf-8", "replace")


def _messages(number: int, document: CorpusDocument) -> Iterator[IngestRequest]:
    content = as_page(document)
    # The name stands in for a title that is missing: it holds no word that a query may have.
    header = IngestHeader(
        collection=COLLECTION, document_key=document.key, file_name=f"d{number:07}.html", media_type="text/html"
    )
    yield IngestRequest(header=header)
    for start in range(0, len(content), PIECE_BYTES):
        yield IngestRequest(piece=content[start : start + PIECE_BYTES])
    digest = hashlib.sha256(content).hexdigest()
    yield IngestRequest(end=IngestEnd(size_bytes=len(content), sha256=digest))


def _shortened(text: str) -> str:
    return text.encode()[:LONGEST_QUERY_BYTES].decode("utf-8", "ignore")
