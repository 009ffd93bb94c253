"""Values of the domain as statements of both engines take them, and what both make of a row before they act on it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from rag_server.adapters.tables.rows import failure_to_json, progress_to_json, to_json
from rag_server.domain.document import Summary
from rag_server.domain.failure import Failure
from rag_server.domain.job import Claim, Order, Progress
from rag_server.domain.pipeline import Pipeline
from rag_server.domain.texts import same_metadata


def order_values(order: Order, now: float) -> dict[str, Any]:
    """Of the row of a new job."""
    return {
        "job_id": order.job_id,
        "kind": order.kind,
        "collection": order.collection,
        "document_key": order.document_key,
        "file_name": order.file_name,
        "sha256": order.sha256,
        "size_bytes": order.size_bytes,
        "media_type": order.media_type,
        "metadata": order.metadata_json,
        "tags": to_json(order.tags),
        "priority": order.priority,
        "request_id": order.request_id,
        "traceparent": order.traceparent,
        "origin_request_id": order.origin_request_id,
        "parameters": order.parameters_json,
        "now": now,
    }


def same_request(known: Order, order: Order) -> bool:
    """Whether both ask for the same; an empty hash is not known yet, and stands for any."""
    asked = order if order.sha256 else replace(order, sha256=known.sha256)
    return _asked_for(known) == _asked_for(asked)


@dataclass(frozen=True, slots=True)
class Publication:
    """What is to be published, and under which claim."""

    claim: Claim
    version_id: int
    summary: Summary
    problem: Failure | None
    now: float

    @property
    def values(self) -> dict[str, Any]:
        """What publishing writes into the version, guarded by job id and fence."""
        summary = self.summary
        return {
            "job_id": self.claim.job.order.job_id,
            "fence": self.claim.fence,
            "version_id": self.version_id,
            "now": self.now,
            "media_type": summary.media_type,
            "page_count": summary.page_count,
            "page_total": summary.page_total,
            "chunk_count": summary.chunk_count,
            "char_count": summary.char_count,
            "properties": to_json(dict(summary.properties)),
            "problem": None if self.problem is None else failure_to_json(self.problem),
            "progress": all_done(summary.page_count, summary.page_total, summary.chunk_count),
        }


@dataclass(frozen=True, slots=True)
class StandingDocument:
    """A document that stands with the bytes that were asked for."""

    document_id: str
    number: int
    sequence: int
    problem: str | None  # JSON: it stands in part only, and the job says so again
    page_count: int
    page_total: int
    chunk_count: int

    def ending(self, job_id: str, now: float) -> dict[str, Any]:
        """Values for the end of a job with outcome UNCHANGED."""
        progress = all_done(self.page_count, self.page_total, self.chunk_count)
        return {**asdict(self), "job_id": job_id, "progress": progress, "now": now}


def standing_for(order: Order, pipeline: Pipeline, admission: int) -> dict[str, Any]:
    """Values for the question whether a document stands as ordered, and nothing before `admission` will change it."""
    return {
        "collection": order.collection,
        "document_key": order.document_key,
        "sha256": order.sha256,
        "pipeline_version": pipeline.version,
        "model_fingerprint": pipeline.model_fingerprint,
        "admission": admission,
    }


def unchanged(order: Order, row: Sequence[Any] | None) -> StandingDocument | None:
    """The document of a row, unless the order says something new of it: other metadata, or other tags.

    An order without them leaves them as they are.
    """
    if row is None:
        return None
    *known, metadata, tags = row
    same = order.metadata_json == "{}" or same_metadata(order.metadata_json, metadata)
    if same and (not order.tags or set(order.tags) == set(json.loads(tags))):
        return StandingDocument(*known)
    return None


def all_done(page_count: int, page_total: int, chunk_count: int) -> str:
    """The progress of a job that has done it all, as JSON."""
    return progress_to_json(
        Progress(pages_done=page_count, pages_total=page_total, chunks_done=chunk_count, chunks_total=chunk_count)
    )


def _asked_for(order: Order) -> tuple[str, ...]:
    return order.kind, order.collection, order.document_key, order.sha256, order.parameters_json
