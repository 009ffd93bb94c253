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
        self._position = 0

    async def accept(self, entry: Entry) -> Entry:
        known = self.entries.get(entry.job_id) or await self.find_request(entry.upload.request_id)
        if known is not None:
            if not same_request(known, entry.upload, entry.blob.sha256):
                raise RequestIdReused
            return known
        return self._put(replace(entry, position=self._next_position()))

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

    async def heads(self, after_position: int, limit: int) -> list[Entry]:
        firsts: dict[tuple[str, str], Entry] = {}
        for entry in sorted(self._those(lambda entry: entry.open), key=lambda entry: entry.position):
            firsts.setdefault(entry.key, entry)
        return [entry for entry in firsts.values() if entry.position > after_position][:limit]

    async def has_open(self, collection: str, document_key: str) -> bool:
        return bool(self._those(lambda entry: entry.open and entry.key == (collection, document_key)))

    async def forwarded(self, entry: Entry, known_as: str, now: float) -> None:
        if self._is_as_seen(entry):
            self._change(replace(entry, known_as=known_as, open=False), now, state=EntryState.FORWARDED)

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
