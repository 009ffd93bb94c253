"""A client of a running Acervo: REST for uploads and answers, patient where a server is away for a moment."""

import contextlib
import time
import uuid
from collections.abc import Mapping
from typing import Any, Self

import httpx

from bench.waiting import pause, until

ENDED = frozenset(f"JOB_STATE_{name}" for name in ("SUCCEEDED", "SUCCEEDED_PARTIALLY", "FAILED", "CANCELLED", "DEAD"))
FOUND = frozenset({"JOB_STATE_SUCCEEDED", "JOB_STATE_SUCCEEDED_PARTIALLY"})
ACCEPTED = 202
OK = 200
ANSWER_S = 60.0
AGAIN_S = 0.2
AWAY_S = 10.0


class Client:
    """Speaks REST to Envoy. Safe to use from several threads."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=ANSWER_S, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def upload(self, files: Mapping[str, bytes], collection: str, **fields: str) -> list[str]:
        """Send one form with the files; the ids of their jobs. Raises httpx.HTTPStatusError."""
        parts = [("file", (name, content)) for name, content in files.items()]
        answer = self.http.post("/api/v1/rag/upload", params={"collection": collection, **fields}, files=parts)
        answer.raise_for_status()
        return [_bare(entry["job"]["name"]) for entry in answer.json()["files"] if entry.get("job")]

    def upload_surely(self, name: str, content: bytes, collection: str, deadline_s: float = 60.0) -> str:
        """Send one file until it is accepted, always as the same request; the id of its job."""
        request_id = str(uuid.uuid4())

        def accepted() -> str | None:
            with contextlib.suppress(httpx.HTTPError):
                return self.upload({name: content}, collection, request_id=request_id)[0]
            return None

        return until(accepted, deadline_s, f"{name} accepted", AGAIN_S)

    def job(self, job_id: str, wait: str = "") -> dict[str, Any]:
        """The job as it is, or as it is when it ends within `wait`. Raises httpx.HTTPError.

        A server that says when to come back is asked again for a while: one that has just started may not reach the
        others yet.
        """
        parameters = {"wait": wait} if wait else {}
        end_s = time.monotonic() + AWAY_S
        while True:
            answer = self.http.get(f"/api/v1/rag/jobs/{job_id}", params=parameters, timeout=90.0)
            if "retry-after" not in answer.headers or time.monotonic() > end_s:
                break
            pause(AGAIN_S)
        answer.raise_for_status()
        job: dict[str, Any] = answer.json()["job"]
        return job

    def wait(self, job_id: str, deadline_s: float = 120.0) -> dict[str, Any]:
        """The job when it has ended, whatever restarts meanwhile."""

        def ended() -> dict[str, Any] | None:
            with contextlib.suppress(httpx.HTTPError):
                job = self.job(job_id, wait="10s")
                return job if job["state"] in ENDED else None
            return None

        return until(ended, deadline_s, f"job {job_id} ended", AGAIN_S)

    def take_in(self, name: str, content: bytes, collection: str, deadline_s: float = 120.0) -> dict[str, Any]:
        """Upload a file and wait for its job. Raises AssertionError where it cannot be found afterwards."""
        (job_id,) = self.upload({name: content}, collection)
        job = self.wait(job_id, deadline_s)
        if job["state"] not in FOUND:
            raise AssertionError(f"{name}: {job['state']} {job.get('error')}")
        return job

    def search(self, query: str, collection: str, limit: int = 10, mode: str = "") -> list[dict[str, Any]]:
        """The hits. Raises httpx.HTTPError."""
        wanted = {"query": query, "collection": collection, "limit": str(limit)}
        answer = self.http.get("/api/v1/search", params=wanted | ({"mode": mode} if mode else {}))
        answer.raise_for_status()
        hits: list[dict[str, Any]] = answer.json().get("hits", [])
        return hits

    def passages_with(self, word: str, collection: str) -> list[dict[str, Any]]:
        """The hits whose text has the word."""
        hits = self.search(word, collection, limit=50, mode="SEARCH_MODE_LEXICAL")
        return [hit for hit in hits if word in hit["text"]]

    def documents(self, collection: str) -> list[dict[str, Any]]:
        """All documents of a collection."""
        documents: list[dict[str, Any]] = []
        token = ""
        while True:
            wanted = {"parent": collection, "page_size": "250", "page_token": token}
            answer = self.http.get("/api/v1/rag/documents", params=wanted)
            answer.raise_for_status()
            documents += answer.json().get("documents", [])
            token = answer.json().get("next_page_token", "")
            if not token:
                return documents


def _bare(name: str) -> str:
    return name.removeprefix("jobs/")
