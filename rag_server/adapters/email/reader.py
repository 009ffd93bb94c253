"""Messages as they are sent (EML): what the reader of the message sees. Attachments are named, not opened."""

from collections.abc import Iterator
from email import policy
from email.message import EmailMessage, MIMEPart
from email.parser import BytesParser
from email.utils import parsedate_to_datetime

from rag_server.adapters.email.message import Message, write_message
from rag_server.adapters.parsing.budget import Budget
from rag_server.adapters.parsing.page_writer import PageWriter
from rag_server.adapters.parsing.reading import Reading, Source
from rag_server.adapters.text.decoding import decode
from rag_server.domain.extraction import Page

_MAX_BYTES = 100_000_000


def read_eml(source: Source, budget: Budget) -> Reading:
    """The message as one page."""
    budget.check_bytes("message_bytes", source.size_bytes, _MAX_BYTES)
    source.file.seek(0)
    parsed = BytesParser(policy=policy.default).parse(source.file)
    message = Message(
        subject=_header(parsed, "subject"),
        sender=_header(parsed, "from"),
        to=_header(parsed, "to"),
        cc=_header(parsed, "cc"),
        date=_date(parsed),
        plain=_body(parsed, "plain"),
        html=_html(parsed),
        attachments=tuple(_attachments(parsed)),
    )
    return Reading(_pages(message, budget), 1, message.properties())


def _pages(message: Message, budget: Budget) -> Iterator[Page]:
    writer = PageWriter(budget)
    write_message(message, writer)
    yield writer.page(1)


def _header(message: EmailMessage, name: str) -> str:
    try:
        return " ".join(str(message.get(name, "")).split())
    except (ValueError, IndexError, AttributeError, TypeError):  # what the library says of malformed headers
        return ""


def _date(message: EmailMessage) -> str:
    try:
        return parsedate_to_datetime(_header(message, "date")).isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        return ""


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    return "" if part is None else decode(_payload(part), part.get_content_charset("") or "")


def _html(message: EmailMessage) -> bytes:
    part = message.get_body(preferencelist=("html",))
    if part is None:
        return b""
    charset = part.get_content_charset("")
    # Handed on as UTF-8: what the page says of its own encoding no longer counts then.
    return decode(_payload(part), charset).encode() if charset else _payload(part)


def _payload(part: MIMEPart) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _attachments(message: EmailMessage) -> Iterator[str]:
    for part in message.walk():
        name = part.get_filename()
        if name and part.get_content_disposition() != "inline":
            yield name
