"""Reading lists page by page."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

LARGEST_PAGE = 250


def read_pages(fetch: Callable[[int, str], tuple[Sequence[T], str]], limit: int) -> Iterator[T]:
    """Up to `limit` items (0: all). `fetch` takes a page size and a token, and returns items and the next token."""
    token = ""
    left = limit
    while True:
        items, token = fetch(min(left, LARGEST_PAGE) if limit else LARGEST_PAGE, token)
        yield from items[:left] if limit else items
        left -= len(items)
        if not token or (limit and left <= 0):
            return
