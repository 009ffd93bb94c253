"""`acervo collections`."""

import sys
from typing import Annotated

import typer

from acervo.rag.v1.collection_pb2 import Collection
from acervo.rag.v1.collection_service_pb2 import (
    DeleteCollectionRequest,
    GetCollectionRequest,
    ListCollectionsRequest,
)
from cli.connection import connected
from cli.names import collection_name, short_id
from cli.options import DEFAULT_SERVER, AsJson, Limit, Server
from cli.output import counted, local_time, print_fields, print_json, print_table, size_text
from cli.pages import read_pages
from cli.plain import plain, word

app = typer.Typer(add_completion=False, no_args_is_help=True, help="List, show and delete collections.")

CollectionId = Annotated[
    str,
    typer.Argument(metavar="NAME", callback=collection_name, help="The collection: its name or collections/{name}."),
]


@app.command("list")
def list_collections(*, limit: Limit = 50, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """List the collections by name."""
    with connected(server) as connection:

        def fetch(size: int, token: str) -> tuple[list[Collection], str]:
            request = ListCollectionsRequest(page_size=size, page_token=token)
            answer = connection.call(connection.collections.ListCollections, request)
            return list(answer.collections), answer.next_page_token

        collections = list(read_pages(fetch, limit))
    if as_json:
        print_json({"collections": [plain(one) for one in collections]})
        return
    rows = [
        (short_id(one.name), str(one.document_count), str(one.chunk_count), _index(one), local_time(one.create_time))
        for one in collections
    ]
    print_table(("collection", "documents", "chunks", "vectors", "made"), rows, empty="There are no collections.")


@app.command()
def show(collection: CollectionId, *, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Show a collection."""
    with connected(server) as connection:
        request = GetCollectionRequest(name=collection)
        found = connection.call(connection.collections.GetCollection, request).collection
    if as_json:
        print_json(plain(found))
        return
    print_fields(
        [
            ("collection", found.name),
            ("documents", str(found.document_count)),
            ("chunks", str(found.chunk_count)),
            ("vectors", _index(found)),
            ("made", local_time(found.create_time)),
        ]
    )


@app.command()
def delete(
    collection: CollectionId,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Delete a collection with all its documents, and cancel its jobs."""
    if not (yes or as_json) and sys.stdin.isatty():
        typer.confirm(f"Delete {collection} with all its documents?", abort=True)
    with connected(server) as connection:
        request = DeleteCollectionRequest(name=collection)
        answer = connection.call(connection.collections.DeleteCollection, request)
    deleted = answer.documents_deleted
    if as_json:
        print_json({"collection": collection, "documents_deleted": deleted, "sequence": answer.sequence})
    else:
        print_fields([("deleted", f"{collection}, {counted(deleted, 'document')}"), ("sequence", str(answer.sequence))])


def _index(found: Collection) -> str:
    """How the vectors are searched: `exact, 1.2 MB`, `3 segments and 512 exact, 81.2 MB`, `pgvector`."""
    if not found.HasField("vector_index"):
        return ""
    index = found.vector_index
    if index.segment_count:
        return f"{counted(index.segment_count, 'segment')} and {index.exact_count} exact, {size_text(index.size_bytes)}"
    kind = word(index, "kind").lower()
    return f"{kind}, {size_text(index.size_bytes)}" if index.size_bytes else kind
