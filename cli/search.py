"""`acervo search`."""

from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from acervo.rag.v1 import search_service_pb2
from acervo.rag.v1.search_service_pb2 import (
    GROUP_BY_DOCUMENT,
    GROUP_BY_UNSPECIFIED,
    RERANK_OFF,
    RERANK_ON,
    RERANK_UNSPECIFIED,
    FacetField,
    SearchHit,
    SearchMode,
    SearchRequest,
    SearchResponse,
)
from cli.connection import connected
from cli.explaining import explain_answer, explain_hit, explanation_as_json, hit_explanation_as_json
from cli.options import DEFAULT_SERVER, AsJson, OfCollection, Server
from cli.output import clean, console, print_json
from cli.plain import short_name
from cli.snippets import make_snippet

app = typer.Typer(add_completion=False)

LONGEST_LINE = 100
FACET_FIELD = search_service_pb2.DESCRIPTOR.enum_types_by_name["FacetField"]
DEGRADATION = search_service_pb2.DESCRIPTOR.enum_types_by_name["Degradation"]
DEGRADATION_TEXTS = {
    "NO_DENSE": "found by words only: the query could not be embedded",
    "NO_LEXICAL": "found by meaning only: the word index could not be asked",
    "NO_PHRASE": "no passage has the quoted phrase: found by its words",
    "RERANK_PARTIAL": "there was no time to rerank all candidates",
    "NO_RERANK": "nothing could be reranked",
}


class Mode(StrEnum):
    """How passages are found."""

    HYBRID = "hybrid"
    LEXICAL = "lexical"
    DENSE = "dense"


class Facets(StrEnum):
    """What the documents of an answer are counted by."""

    MEDIA_TYPE = "media-type"
    LANGUAGE = "language"
    TAG = "tag"


@app.command()
def search(  # noqa: PLR0913 - each option of the command is a parameter
    text: Annotated[list[str], typer.Argument(metavar="TEXT...", help="What to look for, in any language.")],
    *,
    collection: OfCollection = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="How many hits at the most.")] = 10,
    mode: Annotated[Mode, typer.Option(help="By words and meaning, by words, or by meaning.")] = Mode.HYBRID,
    filter_: Annotated[
        str,
        typer.Option("--filter", metavar="FILTER", help="Only such passages, e.g. 'language = \"pt\" AND tags:law'."),
    ] = "",
    min_relevance: Annotated[float, typer.Option(min=0, max=1, help="Only hits with this relevance or more.")] = 0.0,
    by_document: Annotated[bool, typer.Option("--by-document", help="One hit for each document.")] = False,
    diversity: Annotated[float, typer.Option(min=0, max=1, help="How much variety counts against relevance.")] = 0.0,
    facet: Annotated[list[Facets] | None, typer.Option(help="Count documents by this; may be repeated.")] = None,
    rerank: Annotated[
        bool | None, typer.Option("--rerank/--no-rerank", help="Rerank the best; left out: if the server can.")
    ] = None,
    page_token: Annotated[str, typer.Option(help="Go on where another answer ended.")] = "",
    min_sequence: Annotated[int, typer.Option(min=0, help="Wait for an index that has reached this.")] = 0,
    explain: Annotated[bool, typer.Option("--explain", help="Show how the scores came about.")] = False,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Find passages, with citations."""
    request = SearchRequest(
        query=" ".join(text),
        collection=collection,
        limit=limit,
        mode=SearchMode.Value(f"SEARCH_MODE_{mode.name}"),
        min_sequence=min_sequence,
        explain=explain,
        highlight=True,
        filter=filter_,
        min_relevance=min_relevance,
        group_by=GROUP_BY_DOCUMENT if by_document else GROUP_BY_UNSPECIFIED,
        diversity=diversity,
        facets=[FacetField.Value(f"FACET_FIELD_{each.name}") for each in facet or ()],
        rerank={None: RERANK_UNSPECIFIED, True: RERANK_ON, False: RERANK_OFF}[rerank],
        page_token=page_token,
    )
    with connected(server) as connection:
        answer = connection.call(connection.searches.Search, request)
    if as_json:
        print_json(_answer_as_json(answer))
    else:
        _print_answer(answer)


def _answer_as_json(answer: SearchResponse) -> dict[str, Any]:
    return {
        "hits": [_hit_as_json(hit) for hit in answer.hits],
        "degraded": [short_name(DEGRADATION, value) for value in answer.degraded],
        "took_ms": round(answer.took.ToTimedelta().total_seconds() * 1000, 3),
        "index_sequence": answer.index_sequence,
        "next_page_token": answer.next_page_token,
        "facets": {
            short_name(FACET_FIELD, facet.field): {count.value: count.documents for count in facet.counts}
            for facet in answer.facets
        },
        **({"explanation": explanation_as_json(answer.explanation)} if answer.HasField("explanation") else {}),
    }


def _hit_as_json(hit: SearchHit) -> dict[str, Any]:
    return {
        "document": hit.document,
        "file_name": hit.file_name,
        "page_first": hit.citation.page_first,
        "page_last": hit.citation.page_last,
        "char_start": hit.citation.char_start,
        "char_end": hit.citation.char_end,
        "score": hit.score,
        "relevance": hit.relevance,
        "text": hit.text,
        "headings": list(hit.headings),
        "document_key": hit.document_key,
        "document_version": hit.citation.document_version,
        "highlights": [[mark.start, mark.end] for mark in hit.highlights],
        **({"others": [_hit_as_json(other) for other in hit.others]} if hit.others else {}),
        **({"explanation": hit_explanation_as_json(hit.explanation)} if hit.HasField("explanation") else {}),
    }


def cite(hit: SearchHit) -> str:
    """`lei.pdf, p. 3-4 [1234:1789]`."""
    where = hit.citation
    pages = f"{where.page_first}-{where.page_last}" if where.page_last > where.page_first else f"{where.page_first}"
    page = f", p. {pages}" if where.page_first else ""
    return f"{hit.file_name or hit.document_key}{page} [{where.char_start}:{where.char_end}]"


def _print_answer(answer: SearchResponse) -> None:
    output = console()
    width = min(output.width, LONGEST_LINE)
    for value in answer.degraded:
        degradation = short_name(DEGRADATION, value)
        output.print(Text(DEGRADATION_TEXTS.get(degradation, degradation), style="yellow"))
    if not answer.hits:
        output.print("Nothing found.")
    for rank, hit in enumerate(answer.hits, start=1):
        _print_hit(output, rank, hit, width)
    for facet in answer.facets:
        counts = ", ".join(f"{clean(count.value)} {count.documents}" for count in facet.counts) or "none"
        name = short_name(FACET_FIELD, facet.field).lower().replace("_", " ")
        output.print(Text.assemble((f"{name}: ", "bold"), counts), width=width)
    if answer.next_page_token:
        output.print(Text(f"more: --page-token {answer.next_page_token}", "dim"), soft_wrap=True)
    if answer.HasField("explanation"):
        output.print(Text(explain_answer(answer.explanation), "dim"), width=width)
    output.print(Text(f"{len(answer.hits)} in {answer.took.ToTimedelta().total_seconds() * 1000:.0f} ms", style="dim"))


def _print_hit(output: Console, rank: int, hit: SearchHit, width: int) -> None:
    head = Text.assemble((f"{rank}. ", "dim"), (clean(cite(hit)), "bold"), (f"  {hit.relevance:.0%}", "dim"))
    output.print(head, width=width)
    if hit.headings:
        output.print(
            Padding(Text(clean(" › ".join(hit.headings)), style="italic"), (0, 0, 0, 3), expand=False), width=width
        )
    snippet = make_snippet(hit.text, [(mark.start, mark.end) for mark in hit.highlights])
    text = Text()
    for piece, is_marked in snippet.pieces():
        text.append(clean(piece), "bold yellow" if is_marked else None)
    output.print(Padding(text, (0, 0, 0 if hit.HasField("explanation") else 1, 3), expand=False), width=width)
    if hit.HasField("explanation"):
        output.print(Padding(Text(explain_hit(hit.explanation), "dim"), (0, 0, 1, 3), expand=False), width=width)
    if hit.others:
        others = "also " + ", ".join(
            clean(cite(other)).removeprefix(clean(hit.file_name)).lstrip(", ") for other in hit.others
        )
        output.print(Padding(Text(others, "dim"), (0, 0, 1, 3), expand=False), width=width)
