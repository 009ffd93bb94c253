"""`acervo documents delete`: one document, or all that meet a filter."""

import sys
import threading
from typing import Annotated

import typer

from acervo.rag.v1.document_service_pb2 import DeleteDocumentRequest, DeleteDocumentsRequest
from acervo.rag.v1.job_pb2 import Job
from cli import outcome
from cli.connection import Connection, connected
from cli.counts import of_message
from cli.failure import Failure
from cli.following import GOOD_STATES, follow
from cli.names import document_name
from cli.options import DEFAULT_SERVER, AsJson, DocumentFilter, OfCollection, Server
from cli.output import counted, print_fields, print_json
from cli.plain import plain
from cli.retrying import Patience


def delete(  # noqa: PLR0913 - every option is a parameter
    document: Annotated[str, typer.Argument(metavar="[DOCUMENT]", help="The document; or give a filter.")] = "",
    *,
    wanted: DocumentFilter = "",
    everything: Annotated[bool, typer.Option("--all", help="All documents of the collection.")] = False,
    collection: OfCollection = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Delete a document, or those that meet a filter: no search finds them any more."""
    if bool(document) == bool(wanted or everything):
        raise typer.BadParameter("give a document, or --filter, or --all")
    with connected(server) as connection:
        if document:
            _delete_one(connection, document_name(document), as_json=as_json)
            return
        request = DeleteDocumentsRequest(parent=collection, filter=wanted, all=everything)
        if not dry_run and not yes:
            _ask(connection, request)
        request.dry_run = dry_run
        answer = connection.call(connection.documents.DeleteDocuments, request)
        if dry_run:
            _tell_count(answer.document_count, as_json=as_json)
        else:
            _tell_job(_ended(connection, answer.job), as_json=as_json)


def _delete_one(connection: Connection, name: str, *, as_json: bool) -> None:
    answer = connection.call(connection.documents.DeleteDocument, DeleteDocumentRequest(name=name))
    if as_json:
        print_json({"document": name, "sequence": answer.sequence})
    else:
        print_fields([("deleted", name), ("sequence", str(answer.sequence))])


def _ask(connection: Connection, request: DeleteDocumentsRequest) -> None:
    """Let somebody confirm it. Raises Failure where nobody is there to ask, Abort where the answer is no."""
    if not sys.stdin.isatty():
        raise Failure("nobody can be asked here: add --yes, or --dry-run to count first")
    counting = DeleteDocumentsRequest()
    counting.CopyFrom(request)
    counting.dry_run = True
    count = connection.call(connection.documents.DeleteDocuments, counting).document_count
    typer.confirm(f"Delete {counted(count, 'document')}?", abort=True)


def _ended(connection: Connection, job: Job) -> Job:
    """The job at its end. Raises Failure where it did not succeed."""
    last = job
    for last in follow(connection, job.name, Patience(threading.Event())):  # noqa: B007 - the last is wanted
        pass
    if last.state not in GOOD_STATES:
        raise Failure(outcome.of_job(last.name, last, 0).sentence())
    return last


def _tell_count(count: int, *, as_json: bool) -> None:
    if as_json:
        print_json({"document_count": count})
    else:
        print_fields([("would delete", counted(count, "document"))])


def _tell_job(job: Job, *, as_json: bool) -> None:
    if as_json:
        print_json(plain(job))
    else:
        print_fields([("documents", of_message(job.documents) or "0 deleted"), ("sequence", str(job.sequence))])
