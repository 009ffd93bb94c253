"""Which stored bytes are needed, in memory."""

from dataclasses import dataclass

from rag_server.domain.job import FOUND
from tests.fakes.memory_store import MemoryStore


@dataclass(frozen=True, slots=True)
class MemoryReferences:
    store: MemoryStore

    def wanted(self, sha256: str) -> bool:
        versions = [version for version in self.store.versions.values() if not version.retired]
        jobs = (record.job for record in self.store.jobs.values())
        return (
            any(sha256 in (version.order.sha256, version.part_of) for version in versions)
            or any(sha256 == segment.sha256 for segment in self.store.segments.values())
            or any(sha256 == job.order.sha256 and job.state not in FOUND for job in jobs)
        )
