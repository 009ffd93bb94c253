"""`acervo documents`."""

import typer
from google.protobuf.json_format import MessageToJson

from acervo.rag.v1.document_pb2 import Document
from acervo.rag.v1.document_service_pb2 import GetDocumentRequest, ListDocumentsRequest
from cli.connection import connected
from cli.contents import chunks, download, versions
from cli.deleting import delete
from cli.names import short_id
from cli.options import DEFAULT_SERVER, AsJson, DocumentFilter, DocumentId, Limit, OfCollection, Server
from cli.output import counted, local_time, print_fields, print_json, print_table, size_text
from cli.pages import read_pages
from cli.plain import plain

app = typer.Typer(add_completion=False, no_args_is_help=True, help="List, show, download and delete documents.")


@app.command("list")
def list_documents(
    *,
    collection: OfCollection = "",
    wanted: DocumentFilter = "",
    limit: Limit = 50,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """List the documents of a collection by key; with a filter those that meet it."""
    with connected(server) as connection:

        def fetch(size: int, token: str) -> tuple[list[Document], str]:
            request = ListDocumentsRequest(parent=collection, page_size=size, page_token=token, filter=wanted)
            answer = connection.call(connection.documents.ListDocuments, request)
            return list(answer.documents), answer.next_page_token

        documents = list(read_pages(fetch, limit))
    if as_json:
        print_json({"documents": [plain(document) for document in documents]})
        return
    rows = [
        (
            short_id(one.name),
            one.document_key,
            str(one.version),
            _pages(one),
            str(one.chunk_count),
            size_text(one.size_bytes),
        )
        for one in documents
    ]
    print_table(("document", "key", "version", "pages", "chunks", "size"), rows, empty="There are no documents.")


@app.command()
def show(document: DocumentId, *, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Show a document."""
    with connected(server) as connection:
        request = GetDocumentRequest(name=document)
        found = connection.call(connection.documents.GetDocument, request).document
    if as_json:
        print_json(plain(found))
    else:
        _print_document(found)


app.command()(chunks)
app.command()(versions)
app.command()(download)
app.command()(delete)


def _print_document(document: Document) -> None:
    print_fields(
        [
            ("document", document.name),
            ("key", document.document_key),
            ("file", f"{document.file_name} ({document.media_type}, {size_text(document.size_bytes)})"),
            ("version", str(document.version)),
            ("pages", _pages(document)),
            ("chunks", str(document.chunk_count)),
            ("text", counted(document.char_count, "character")),
            *sorted(document.properties.items()),
            ("tags", ", ".join(document.tags)),
            ("metadata", MessageToJson(document.metadata, indent=None) if document.metadata.fields else ""),
            ("sha256", document.sha256),
            ("job", document.job),
            ("first published", local_time(document.create_time)),
            ("published", local_time(document.update_time)),
        ]
    )


def _pages(document: Document) -> str:
    if document.page_total > document.page_count:
        return f"{document.page_count} of {document.page_total}"
    return str(document.page_count)
