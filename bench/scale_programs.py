"""serve and work by themselves over a folder, each started and stopped when the measure wants it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import psutil

from acervo.rag.v1 import (
    collection_pb2,
    collection_service_pb2,
    collection_service_pb2_grpc,
    job_pb2,
    job_service_pb2,
    job_service_pb2_grpc,
    search_service_pb2,
    search_service_pb2_grpc,
    system_service_pb2,
    system_service_pb2_grpc,
)
from bench.stack import LEASH, ROOT, clean_environment, free_ports
from bench.waiting import until

STOP_S = 60.0
ANSWER_S = 30.0
MAPPED = (".hashed", "/blobs/")  # files of segments, in a snapshot or in the blob store


class Programs:
    """Over the store in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = clean_environment(
            {"ACERVO_STORE": str(folder), "ACERVO_RAG_LISTEN": f"127.0.0.1:{free_ports()}"}
        )
        channel = grpc.insecure_channel(self._environment["ACERVO_RAG_LISTEN"])
        self._search = search_service_pb2_grpc.SearchServiceStub(channel)
        self._collections = collection_service_pb2_grpc.CollectionServiceStub(channel)
        self._jobs = job_service_pb2_grpc.JobServiceStub(channel)
        self._system = system_service_pb2_grpc.SystemServiceStub(channel)

    @contextmanager
    def running(self, program: str) -> Iterator[psutil.Process]:
        """One of them, for the length of a block."""
        log = (self._folder / f"{program}.jsonl").open("a")
        command = [*LEASH, str(os.getpid()), sys.executable, "-m", f"rag_server.{program}"]
        process = subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=log, stderr=log)
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            log.close()

    def search(self, query: str, collection: str) -> list[str]:
        """The texts of the best ten by meaning."""
        request = search_service_pb2.SearchRequest(
            query=query, collection=collection, limit=10, mode=search_service_pb2.SEARCH_MODE_DENSE
        )
        return [hit.text for hit in self._search.Search(request, timeout=ANSWER_S, wait_for_ready=True).hits]

    def index(self) -> str:
        """What health tells of the index."""
        answer = self._system.GetHealth(system_service_pb2.GetHealthRequest(), timeout=ANSWER_S, wait_for_ready=True)
        return next(part.detail for part in answer.components if part.name == "index")

    def vector_index(self, collection: str) -> collection_pb2.VectorIndex:
        """What the server publishes of the vectors of a collection."""
        request = collection_service_pb2.GetCollectionRequest(name=f"collections/{collection}")
        answer = self._collections.GetCollection(request, timeout=ANSWER_S, wait_for_ready=True)
        return answer.collection.vector_index

    def wait_until_level(self, deadline_s: float) -> None:
        """Return when the index has all changes."""

        def level() -> bool:
            applied, _, last = self.index().partition(" of ")
            return applied == last.partition(" ")[0]

        until(level, deadline_s, "the index is level", 0.5)

    def builds(self) -> list[job_pb2.Job]:
        """The jobs that build segments, the latest first."""
        request = job_service_pb2.ListJobsRequest(page_size=50)
        jobs = self._jobs.ListJobs(request, timeout=ANSWER_S, wait_for_ready=True).jobs
        return [job for job in jobs if job.kind == job_pb2.JOB_KIND_MAINTENANCE]


def mapped_bytes(process: psutil.Process) -> int:
    """Memory that the mapped files of segments take, each page once."""
    maps = [one for one in process.memory_maps(grouped=False) if any(name in one.path for name in MAPPED)]
    return sum(one.pss for one in maps)


def anonymous_bytes(process: psutil.Process) -> int:
    """Memory that is no file's."""
    return sum(one.anonymous for one in process.memory_maps(grouped=True))
