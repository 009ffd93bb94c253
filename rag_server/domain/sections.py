"""The sections that a document's headings open, and the short ones joined so that no chunk is a lone title."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rag_server.domain.extraction import DocumentText, Heading


@dataclass(frozen=True, slots=True)
class Section:
    """The text `[start, end)` up to the next heading; `path` are the headings it stands under, outermost first."""

    start: int
    end: int
    path: tuple[str, ...]


def find_sections(document: DocumentText, max_title_chars: int) -> list[Section]:
    """Every code point is in exactly one section; what stands before the first heading has an empty path."""
    starts = [0, *(heading.char_start for heading in document.headings)]
    ends = [*starts[1:], len(document.text)]
    paths = [(), *_paths(document.headings, max_title_chars)]
    spans = zip(starts, ends, paths, strict=True)
    return [Section(start, end, path) for start, end, path in spans if end > start]


def _paths(headings: Sequence[Heading], max_title_chars: int) -> Iterator[tuple[str, ...]]:
    open_headings: list[Heading] = []
    for heading in headings:
        while open_headings and open_headings[-1].level >= heading.level:
            open_headings.pop()
        open_headings.append(heading)
        yield tuple(_shortened(h.text, max_title_chars) for h in open_headings)


def _shortened(title: str, max_chars: int) -> str:
    if len(title) <= max_chars:
        return title
    space = title.rfind(" ", 0, max_chars + 1)
    return title[: space if space > 0 else max_chars]


def join_short(sections: Sequence[Section], tokens: Callable[[int, int], int], min_tokens: int) -> list[list[Section]]:
    """Groups of consecutive sections. One under `min_tokens` goes with the sibling, child or parent next to it."""
    groups: list[list[Section]] = []
    for section in sections:
        if groups and _belongs(section, groups[-1]) and _length(groups[-1], tokens) < min_tokens:
            groups[-1].append(section)
        else:
            _join_back(groups, tokens, min_tokens)
            groups.append([section])
    _join_back(groups, tokens, min_tokens)
    return groups


def _join_back(groups: list[list[Section]], tokens: Callable[[int, int], int], min_tokens: int) -> None:
    # The last group found nothing to go with after it.
    if len(groups) > 1 and _belongs(groups[-1][0], groups[-2]) and _length(groups[-1], tokens) < min_tokens:
        short = groups.pop()
        groups[-1].extend(short)


def _belongs(section: Section, group: Sequence[Section]) -> bool:
    first = group[0].path
    return section.path[:-1] == first[:-1] or section.path[: len(first)] == first


def _length(group: Sequence[Section], tokens: Callable[[int, int], int]) -> int:
    return tokens(group[0].start, group[-1].end)
