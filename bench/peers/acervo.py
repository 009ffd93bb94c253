"""Acervo as one of the peers of a search-server comparison: a runner for the harness that compares them.

Put beside the harness's own runners as `acervo.py` and start the harness with `--peer acervo=PYTHON`, PYTHON being
that of this project's environment and PYTHONPATH its root and `generated/`; the harness's `bench.py` has to be
renamed, since this project has a folder of that name. Rows go in with their ready vectors at the store's door, as the
other peers get them; rows that are inserted meanwhile go through the public API and are embedded there, and an
insertion has ended when its rows can be found. Every request is a little different from all before, so that none is
answered from memory. `--opts '{"acervo_via": "edge"}'` searches through Envoy and the gateway.
"""

import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import grpc
import numpy as np
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Value
from numpy.typing import NDArray
from runners.base import Base, K  # the harness's own

from acervo.gateway.v1.text_service_pb2 import Text, UpsertTextsRequest
from acervo.gateway.v1.text_service_pb2_grpc import TextServiceStub
from acervo.rag.v1.filter_pb2 import Filter, MetadataCondition
from acervo.rag.v1.job_service_pb2 import JobStatusRequest
from acervo.rag.v1.job_service_pb2_grpc import JobServiceStub
from acervo.rag.v1.search_service_pb2 import SEARCH_MODE_DENSE, SEARCH_MODE_HYBRID, SearchRequest
from acervo.rag.v1.search_service_pb2_grpc import SearchServiceStub
from bench.stack import Stack
from bench.store_door import DoorRow, put_in

COLLECTION = "bench"
OPTIONS = [("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", 64 << 20)]
# So little relevance changes no answer, but makes each request one of its own.
STEP = 1e-12


class Runner(Base):  # type: ignore[misc]  # the harness has no types
    """One stack, asked over gRPC."""

    has_hybrid = True
    conf: ClassVar = {"index": "exact; compressed segments from 65,536 rows on", "load": "rows with their vectors"}

    async def start(self) -> None:
        """Nothing runs before there are rows."""
        self.data = Path(self.work) / "data"
        self.stack = Stack(self.data)
        self.started = False

    async def load(
        self, ids: Sequence[int], texts: Sequence[str], vecs: NDArray[np.float32], g: NDArray[np.int32], **_: object
    ) -> None:
        """Put the rows in and start; the server is ready when they can be searched."""
        await put_in(self.data, COLLECTION, _rows(ids, texts, vecs, g))
        self.stack.start()
        self.started = True
        await self.connect(self.info())

    def info(self) -> dict[str, str]:
        """Where the servers are."""
        via = self.opts.get("acervo_via", "serve")
        return {"search": self.stack.edge if via == "edge" else self.stack.rag_server, "edge": self.stack.edge}

    async def connect(self, info: dict[str, str]) -> None:
        """Make the channels."""
        edge = grpc.aio.insecure_channel(info["edge"], options=OPTIONS)
        self.searches = SearchServiceStub(grpc.aio.insecure_channel(info["search"], options=OPTIONS))
        self.texts, self.jobs = TextServiceStub(edge), JobServiceStub(edge)
        self.turns = itertools.count(1)

    def prepare(
        self, vec: NDArray[np.float32], flt: tuple[str, int] | None = None, text: str | None = None
    ) -> SearchRequest:
        """The request: by vector, or with a text by words and meaning."""
        request = SearchRequest(collection=COLLECTION, limit=K)
        if text is None:
            request.mode = SEARCH_MODE_DENSE
            request.vector.extend(vec.tolist())
        else:
            request.mode, request.query = SEARCH_MODE_HYBRID, text
        if flt:
            value = Value(number_value=int(flt[1]))
            request.where.CopyFrom(Filter(metadata=[MetadataCondition(path=flt[0], value=value)]))
        return request

    async def search(self, request: SearchRequest) -> list[tuple[int, str]]:
        """Ids and texts, best first."""
        request.min_relevance = next(self.turns) * STEP
        answer = await self.searches.Search(request)
        return [(int(hit.document_key), hit.text) for hit in answer.hits]

    hybrid = search

    async def insert(
        self, ids: Sequence[int], texts: Sequence[str], vecs: NDArray[np.float32], g: NDArray[np.int32]
    ) -> None:
        """Take the texts in and wait until they can be found; their vectors are made by the server."""
        del vecs
        request = UpsertTextsRequest(collection=COLLECTION)
        for key, text, values in zip(ids, texts, g, strict=True):
            one = Text(key=str(key), text=text)
            ParseDict(_values(values), one.metadata)
            request.texts.append(one)
        accepted = await self.texts.UpsertTexts(request)
        async for _ in self.jobs.JobStatus(JobStatusRequest(name=accepted.job.name)):
            continue

    def server_pids(self) -> list[int]:
        """The launcher, whose children are the servers."""
        return [self.stack.launcher_pid] if self.started else []

    async def stop(self) -> None:
        """End the stack."""
        if self.started:
            self.stack.stop()


def _rows(
    ids: Sequence[int], texts: Sequence[str], vecs: NDArray[np.float32], g: NDArray[np.int32]
) -> Iterator[DoorRow]:
    for key, text, vector, values in zip(ids, texts, vecs, g, strict=True):
        yield DoorRow(str(key), text, vector, json.dumps(_values(values)))


def _values(values: NDArray[np.int32]) -> dict[str, Any]:
    return {"g10": int(values[0]), "g200": int(values[1])}
