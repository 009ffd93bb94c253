"""Reads documents for `work`, one after the other: `python -m rag_server.extract`.

This is the process that touches hostile bytes, so it has nothing to steal: no store, no network, no secrets, nothing
to write to. Standard input is a Unix socket to the parent; documents arrive on it as open file descriptors.
"""

import argparse
import faulthandler
import os
import socket
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field

from rag_server.adapters.extractor_process.conversation import Conversation
from rag_server.adapters.extractor_process.frames import Request
from rag_server.adapters.linux.confinement import confine, limit_cpu
from rag_server.adapters.parsing.budget import Budget
from rag_server.adapters.parsing.detection import detect
from rag_server.adapters.parsing.readers import reader_for
from rag_server.adapters.parsing.reading import Source
from rag_server.adapters.parsing.refusals import Refusal, Refused


def main() -> None:
    """Confine this process, then read what is asked for until the parent hangs up."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--parent-pid", type=int, required=True)
    arguments.add_argument("--memory-bytes", type=int, required=True)
    options = arguments.parse_args()
    faulthandler.enable()
    isolation = confine(options.memory_bytes, options.parent_pid)
    conversation = Conversation(socket.socket(fileno=os.dup(0)))
    conversation.send("ready", isolation=isolation)
    while received := conversation.receive():
        request, descriptor = received
        with os.fdopen(descriptor, "rb") as file:
            size_bytes = os.fstat(descriptor).st_size
            hints = request.hints
            how = (request.pdf_engine, request.wants_pictures)
            source = Source(file, size_bytes, hints.file_name, hints.media_type, *how)
            last = answer(source, request, conversation)
        # Said when the document is closed: the parent may take it away now.
        conversation.send(last.kind, **last.fields)


@dataclass(frozen=True, slots=True)
class LastFrame:
    """What ends the answer about a document: `end`, or `failed` with why."""

    kind: str
    fields: Mapping[str, object] = field(default_factory=dict)


def answer(source: Source, request: Request, conversation: Conversation) -> LastFrame:
    """Read one document and send its pages. The last frame is left to the caller."""
    limit_cpu(request.limits.document_timeout_s)
    try:
        send_pages(source, Budget(request.limits, conversation.send_alive), conversation)
    except Refused as refused:
        return LastFrame("failed", {"refusal": refused.refusal.value, "detail": refused.detail})
    except MemoryError:
        return LastFrame("failed", {"refusal": Refusal.OUT_OF_MEMORY.value, "detail": {}})
    except ConnectionError:
        raise
    except Exception as error:  # noqa: BLE001 - libraries raise anything at all on damaged bytes
        return LastFrame("failed", {"refusal": Refusal.CORRUPT.value, "detail": _where(error)})
    return LastFrame("end")


def send_pages(source: Source, budget: Budget, conversation: Conversation) -> None:
    """Send the document page by page.

    :raises Refused: and whatever the reader's library raises.
    """
    media_type = detect(source, budget)
    reading = reader_for(media_type)(source, budget)
    properties = dict(reading.properties)
    conversation.send("start", media_type=media_type, pages_total=reading.pages_total, properties=properties)
    for page in reading.pages:
        conversation.send_page(page)


def _where(error: Exception) -> dict[str, str]:
    """Where it went wrong, without the message: that may quote the document."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""  # noqa: PTH119 - a string
    return {"error": type(error).__name__, "at": place}


if __name__ == "__main__":
    main()
