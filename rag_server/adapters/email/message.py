"""A message as people see it, whatever format it came in."""

from collections.abc import Iterator
from dataclasses import dataclass

from rag_server.adapters.parsing.page_writer import PageWriter
from rag_server.adapters.selectolax.blocks import write_blocks
from rag_server.adapters.selectolax.reader import parse_html


@dataclass(frozen=True, slots=True)
class Message:
    """A message with its body as text, as HTML or as both."""

    subject: str
    sender: str
    to: str
    cc: str
    date: str  # ISO 8601, "" if unknown
    plain: str
    html: bytes
    attachments: tuple[str, ...]

    def properties(self) -> dict[str, str]:
        """Title, author and date."""
        found = {"title": self.subject, "author": self.sender, "created": self.date}
        return {name: value for name, value in found.items() if value}

    def head(self) -> Iterator[tuple[str, str]]:
        """The lines over the body, as mail programs show them."""
        for name, value in (("From", self.sender), ("To", self.to), ("Cc", self.cc), ("Date", self.date)):
            if value:
                yield name, value


def write_message(message: Message, writer: PageWriter) -> None:
    """The subject as heading, then who and when, then the body, then the names of what is attached."""
    writer.heading(1, message.subject)
    for name, value in message.head():
        writer.line(f"{name}: {value}")
    if message.plain.strip():
        writer.paragraph(message.plain)
    elif message.html:
        body = parse_html(message.html).body
        if body is not None:
            write_blocks(body, writer)
    if message.attachments:
        writer.paragraph(f"Attachments: {', '.join(message.attachments)}")
