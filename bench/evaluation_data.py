"""A retrieval set as three files: documents, queries, and which documents are right for which query."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

CORPUS, QUERIES, JUDGEMENTS = "corpus.jsonl", "queries.jsonl", "qrels.tsv"


@dataclass(frozen=True, slots=True)
class CorpusDocument:
    """A document of the set."""

    key: str
    title: str  # may be empty
    text: str


@dataclass(frozen=True, slots=True)
class JudgedQuery:
    """A query, and how relevant documents are for it; what is not named is not."""

    key: str
    text: str
    relevance: Mapping[str, float]  # by document key, all above 0


@dataclass(frozen=True, slots=True)
class RetrievalSet:
    """What a run is measured with: queries without a relevant document are left out, as is usual."""

    documents: tuple[CorpusDocument, ...]
    queries: tuple[JudgedQuery, ...]


def read_set(folder: Path) -> RetrievalSet:
    """Raises OSError, and ValueError that says what is wrong with which file."""
    documents = tuple(
        CorpusDocument(str(entry["id"]), str(entry.get("title") or ""), str(entry["text"]))
        for entry in _lines(folder / CORPUS)
    )
    if len({document.key for document in documents}) != len(documents):
        raise ValueError(f"{folder / CORPUS}: two documents have the same id")
    judged = _judgements(folder / JUDGEMENTS)
    queries = tuple(
        JudgedQuery(str(entry["id"]), str(entry["text"]), judged[str(entry["id"])])
        for entry in _lines(folder / QUERIES)
        if str(entry["id"]) in judged
    )
    if not documents or not queries:
        raise ValueError(f"{folder}: no documents, or no query with a relevant document")
    return RetrievalSet(documents, queries)


def _lines(path: Path) -> Iterator[dict[str, object]]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    entry = json.loads(line)
                    missing = {"id", "text"} - entry.keys()
                except (ValueError, AttributeError) as error:
                    raise ValueError(f"{path}, line {number}: not a JSON object") from error
                if missing:
                    raise ValueError(f"{path}, line {number}: without {', '.join(sorted(missing))}")
                yield entry


def _judgements(path: Path) -> dict[str, dict[str, float]]:
    judged: dict[str, dict[str, float]] = {}
    with path.open(encoding="utf-8", newline="") as lines:
        for number, row in enumerate(csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE), start=1):
            if not row:
                continue
            try:
                query, document, relevance = row[0], row[1], float(row[2])
            except (IndexError, ValueError) as error:
                raise ValueError(f"{path}, line {number}: not query, document, relevance") from error
            if relevance > 0:
                judged.setdefault(query, {})[document] = relevance
    return judged
