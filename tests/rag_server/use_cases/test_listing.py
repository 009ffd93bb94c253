"""Documents are listed past a filter, a bounded look at a time."""

from rag_server.domain.filter import EVERYTHING, Comparison, Condition, Field
from rag_server.domain.job import JobKind
from rag_server.use_cases.listing import LOOK, MOST_LOOKS, Listing
from tests.contracts.ingesting import batch_order, claim, prepared, tick
from tests.fakes.store_ports import StorePorts, memory_ports

RARE = Condition(Field.TAGS, Comparison.EQUAL, "rare")


async def filled(count: int) -> StorePorts:
    """A store with so many documents, of which the last is rare."""
    store = memory_ports()
    await store.jobs.admit(batch_order(JobKind.TEXTS), tick())
    claimed = await claim(store)
    texts = [prepared(f"{n:05d}", "one", tags=("rare",) if n == count - 1 else ()) for n in range(count)]
    await store.batches.publish(claimed, 0, texts, tick())
    return store


async def test_a_page_looks_at_a_bounded_number_and_says_where_to_go_on() -> None:
    count = LOOK * MOST_LOOKS + 2
    listing = Listing((await filled(count)).contents)
    found, after = await listing.page("default", "", RARE, 10)
    assert (found, after) == ([], f"{LOOK * MOST_LOOKS - 1:05d}")
    found, after = await listing.page("default", after, RARE, 10)
    assert ([one.document_key for one in found], after) == ([f"{count - 1:05d}"], "")
    assert await listing.count("default", RARE) == 1


async def test_pages_without_a_filter_hold_every_document_once() -> None:
    listing = Listing((await filled(7)).contents)
    keys, after, pages = [], "", 0
    while True:
        found, after = await listing.page("default", after, EVERYTHING, 3)
        keys += [one.document_key for one in found]
        pages += 1
        if not after:
            break
    assert (keys, pages) == ([f"{n:05d}" for n in range(7)], 3)
