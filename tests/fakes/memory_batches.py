"""Jobs about several documents, in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import uuid_utils

from rag_server.domain.document import ChangeKind, Document
from rag_server.domain.failure import Failure
from rag_server.domain.filter import Attributes
from rag_server.domain.job import Claim, DocumentCounts, JobState, Progress
from rag_server.domain.texts import PreparedText, RejectedText, StandingText, TextItem, TextOutcome, same_metadata
from tests.fakes.memory_store import OPEN, JobRecord, MemoryStore, Version, key_of


@dataclass(frozen=True, slots=True)
class MemoryBatches:
    store: MemoryStore

    async def standing(self, claim: Claim, items: Sequence[TextItem]) -> frozenset[str]:
        collection = self.store.claimed(claim).job.order.collection
        return frozenset(item.document_key for item in items if self._stands(collection, item))

    async def publish(self, claim: Claim, done: int, texts: Sequence[TextOutcome], now: float) -> DocumentCounts:
        record = self.store.claimed(claim)
        counts = record.job.result
        if counts.done >= done + len(texts):
            return counts
        for text in texts:
            counts = self._one(record, text, counts, now)
        record.job = replace(record.job, result=counts)
        return counts

    async def delete(self, claim: Claim, documents: Sequence[Attributes], now: float) -> DocumentCounts:
        record = self.store.claimed(claim)
        deleted = sum(self._delete(record, document, now) for document in documents)
        counts = replace(record.job.result, deleted=record.job.result.deleted + deleted)
        record.job = replace(record.job, result=counts)
        return counts

    async def finish(self, claim: Claim, problem: Failure | None, now: float) -> int:
        record = self.store.claimed(claim)
        counts = record.job.result
        record.change(
            now,
            JobState.SUCCEEDED if problem is None else JobState.SUCCEEDED_PARTIALLY,
            problem=problem,
            sequence=len(self.store.changes) if counts.done > counts.rejected else 0,
            progress=Progress(documents_done=counts.done, documents_total=counts.done),
        )
        return record.job.sequence

    def _stands(self, collection: str, item: TextItem) -> bool:
        key = (collection, item.document_key)
        document = self.store.document(key)
        if document is None or self.store.versions[self.store.current[key]].pipeline != self.store.pipeline:
            return False
        title = document.properties.get("title", "")
        same_words = same_metadata(item.metadata_json, document.metadata_json) and set(item.tags) == set(document.tags)
        same_text = (document.sha256, document.media_type) == (item.sha256, item.media_type)
        return same_words and same_text and item.title in {"", title}

    def _one(self, record: JobRecord, text: TextOutcome, counts: DocumentCounts, now: float) -> DocumentCounts:
        if isinstance(text, RejectedText):
            return replace(counts, rejected=counts.rejected + 1)
        key = (record.job.order.collection, text.item.document_key)
        if self.store.superseded(record, text.item.document_key):
            return replace(counts, superseded=counts.superseded + 1)
        if isinstance(text, StandingText):
            self.store.answers_to[key] = max(self.store.answers_to[key], record.admission)
            return replace(counts, unchanged=counts.unchanged + 1)
        if self._publish(record, text, now):
            return replace(counts, updated=counts.updated + 1)
        return replace(counts, created=counts.created + 1)

    def _publish(self, record: JobRecord, text: PreparedText, now: float) -> bool:
        store, job, item, summary = self.store, record.job.order, text.item, text.summary
        key = (job.collection, item.document_key)
        standing = store.document(key)
        store.collections.setdefault(job.collection, now)
        store.retire(key)
        document_id = standing.document_id if standing else str(uuid_utils.uuid7())
        store.last_version_id += 1
        order = replace(job, document_key=item.document_key, file_name=item.document_key, sha256=item.sha256)
        sequence = store.log(ChangeKind.PUBLISHED, (job.collection, document_id, store.last_version_id), now)
        version = store.versions[store.last_version_id] = Version(store.last_version_id, order, store.pipeline)
        version.document = Document(
            job.collection, document_id, item.document_key, item.document_key, summary.media_type, len(item.encoded),
            item.sha256, standing.version + 1 if standing else 1, 1, 1, summary.chunk_count, summary.char_count,
            dict(summary.properties), item.metadata_json, item.tags, sequence, job.job_id,
            standing.create_time if standing else now, now,
        )  # fmt: skip
        version.part_of = job.sha256
        version.pages = list(text.pages)
        for staged in text.chunks:
            store.last_chunk_id += 1
            version.chunks[staged.chunk.ordinal] = (store.last_chunk_id, staged)
        store.current[key] = version.version_id
        store.answers_to[key] = record.admission
        return standing is not None

    def _delete(self, record: JobRecord, asked: Attributes, now: float) -> int:
        store, key = self.store, (asked.collection, asked.document_key)
        stands = store.current.get(key) == asked.version_id and store.answers_to[key] < record.admission
        if not stands:
            return 0
        store.log(ChangeKind.DELETED, (asked.collection, asked.document_id, 0), now)
        del store.current[key], store.answers_to[key]
        earlier = {job_id for job_id, other in store.jobs.items() if other.admission < record.admission}
        for other in [store.jobs[job_id] for job_id in earlier]:
            if key_of(other.job.order) == key and other.job.state in OPEN:
                store.ask_to_cancel(other, now)
        for version in store.versions.values():
            if key_of(version.order) == key and not self._is_of_later(version, record.admission):
                owner = store.jobs.get(version.order.job_id)
                running = owner is not None and owner.job.state is JobState.RUNNING
                version.erased = True
                version.retired = version.retired or not (version.staged and running)
        store.history[:] = [one for one in store.history if (one.collection, one.document_key) != key]
        store.buried[key] = max(store.buried.get(key, 0), record.admission)
        return 1

    def _is_of_later(self, version: Version, admission: int) -> bool:
        owner = self.store.jobs.get(version.order.job_id)
        return owner is not None and owner.admission > admission
