"""The outbox in memory."""

from collections.abc import Callable
from dataclasses import replace

from gateway.domain.entry import Entry, EntryState, Refusal, same_request
from gateway.domain.errors import RequestIdReused
from gateway.ports import EntryFilter
from storage.blobs import Blob

RETRYABLE = (EntryState.REFUSED, EntryState.CANCELLED)


class MemoryOutbox:
    """Outbox, OutboxWork and OutboxRecords at once."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self._claims: dict[str, tuple[str, float]] = {}  # job id: holder, until
        self._position = 0

    async def accept(self, entry: Entry, holder: str = "", until: float = 0.0) -> Entry:
        known = self.entries.get(entry.job_id) or await self.find_request(entry.upload.request_id)
        if known is not None:
            if not same_request(known, entry.upload, entry.blob.sha256):
                raise RequestIdReused
            return known
        collection, key = entry.key
        there = self._those(lambda other: other.open and other.upload.collection == collection)
        waits = [other for other in there if not key or other.upload.document_key in {key, ""}]
        accepted = self._put(replace(entry, position=self._next_position()))
        if holder and not waits:
            self._claims[entry.job_id] = (holder, until)
            return replace(accepted, held=True)
        return accepted

    async def get(self, job_id: str) -> Entry | None:
        return self.entries.get(job_id)

    async def find_request(self, request_id: str) -> Entry | None:
        found = [entry for entry in self.entries.values() if request_id and entry.upload.request_id == request_id]
        return found[0] if found else None

    async def list_entries(self, wanted: EntryFilter, before_job_id: str, limit: int) -> list[Entry]:
        found = [
            entry
            for entry in self.entries.values()
            if (not before_job_id or entry.job_id < before_job_id)
            and wanted.collection in {"", entry.upload.collection}
            and (not wanted.states or entry.state in wanted.states)
        ]
        return sorted(found, key=lambda entry: entry.job_id, reverse=True)[:limit]

    async def cancel(self, job_id: str, now: float) -> Entry | None:
        entry = self.entries.get(job_id)
        if entry is None or entry.state is not EntryState.PENDING:
            return entry
        return self._change(entry, now, state=EntryState.CANCELLED)

    async def cancel_documents(self, collection: str, document_key: str, now: float) -> int:
        found = self._those(
            lambda entry: (
                entry.state is EntryState.PENDING
                and entry.upload.collection == collection
                and document_key in {"", entry.upload.document_key}
            )
        )
        for entry in found:
            self._change(entry, now, state=EntryState.CANCELLED)
        return len(found)

    async def retry(self, job_id: str, now: float) -> Entry | None:
        entry = self.entries.get(job_id)
        if entry is None or entry.state not in RETRYABLE:
            return entry
        anew = replace(entry, position=self._next_position(), refusal=None, open=True)
        return self._change(anew, now, state=EntryState.PENDING)

    async def heads(self, after_position: int, limit: int, holder: str, now: float) -> list[Entry]:
        before: list[tuple[str, str]] = []
        heads: list[Entry] = []
        for entry in sorted(self._those(lambda entry: entry.open), key=lambda entry: entry.position):
            collection, key = entry.key
            if not any(c == collection and (k in {key, ""} or not key) for c, k in before):
                heads.append(entry)
            before.append(entry.key)
        later = (entry for entry in heads if entry.position > after_position)
        return [entry for entry in later if self._is_free(entry, holder, now)][:limit]

    async def claim(self, entry: Entry, holder: str, now: float, until: float) -> bool:
        known = self.entries.get(entry.job_id)
        if known is None or not known.open or not self._is_as_seen(entry) or not self._is_free(entry, holder, now):
            return False
        self._claims[entry.job_id] = (holder, until)
        return True

    async def has_open(self, collection: str, document_key: str) -> bool:
        return bool(
            self._those(lambda entry: entry.open and entry.key in {(collection, document_key), (collection, "")})
        )

    async def forwarded(self, entry: Entry, known_as: str, now: float) -> bool:
        seen = self._is_as_seen(entry)
        if seen:
            self._change(replace(entry, known_as=known_as, open=False, held=False), now, state=EntryState.FORWARDED)
        return seen

    async def refused(self, entry: Entry, refusal: Refusal, now: float) -> None:
        if self._is_as_seen(entry):
            self._change(replace(entry, refusal=refusal, open=False), now, state=EntryState.REFUSED)

    async def withdrawn(self, entry: Entry, now: float) -> None:
        if self._is_as_seen(entry):
            self._put(replace(entry, open=False, update_time=now))

    async def pending_blobs(self) -> list[Blob]:
        return list({entry.blob for entry in self._those(lambda entry: entry.state is EntryState.PENDING)})

    async def counts(self) -> tuple[int, float | None]:
        times = [entry.accept_time for entry in self._those(lambda entry: entry.state is EntryState.PENDING)]
        return len(times), min(times, default=None)

    async def prune(self, before: float) -> int:
        old = self._those(lambda entry: not entry.open and entry.update_time < before)
        for entry in old:
            del self.entries[entry.job_id]
        return len(old)

    def _those(self, wanted: Callable[[Entry], bool]) -> list[Entry]:
        return [entry for entry in self.entries.values() if wanted(entry)]

    def _is_free(self, entry: Entry, holder: str, now: float) -> bool:
        claimed_by, until = self._claims.get(entry.job_id, ("", 0.0))
        return until <= now or claimed_by == holder

    def _is_as_seen(self, entry: Entry) -> bool:
        known = self.entries.get(entry.job_id)
        return known is not None and known.revision == entry.revision

    def _change(self, entry: Entry, now: float, state: EntryState) -> Entry:
        return self._put(replace(entry, state=state, revision=entry.revision + 1, update_time=now))

    def _put(self, entry: Entry) -> Entry:
        self.entries[entry.job_id] = entry
        return entry

    def _next_position(self) -> int:
        self._position += 1
        return self._position
