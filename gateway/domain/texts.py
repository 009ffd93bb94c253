"""Texts as clients send them, and the file in which they go on together."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.domain import names
from gateway.domain.upload import checked_metadata
from serving.errors import InvalidInput

MAX_TEXTS_BYTES = 16 << 20
PLAIN = "text/plain"


@dataclass(frozen=True, slots=True)
class SentText:
    """One text that becomes a document."""

    key: str
    text: str
    title: str = ""
    media_type: str = PLAIN
    metadata_json: str = "{}"
    tags: tuple[str, ...] = ()


def settled(texts: Sequence[SentText]) -> list[SentText]:
    """The texts with keys made harmless and metadata checked, every key once. Raises InvalidInput."""
    found: dict[str, SentText] = {}
    for number, sent in enumerate(texts):
        key = names.key(sent.key)
        if key in found:
            raise InvalidInput(f"The key of texts[{number}] stands twice.", field=f"texts[{number}].key")
        found[key] = replace(
            sent,
            key=key,
            title=names.clean(sent.title),
            media_type=sent.media_type or PLAIN,
            metadata_json=checked_metadata(sent.metadata_json),
            tags=tuple(tag for tag in map(names.clean, sent.tags) if tag),
        )
    return list(found.values())


def as_lines(texts: Sequence[SentText]) -> bytes:
    """The file that the rag_server reads: a JSON object a line; equal texts give equal bytes. Raises InvalidInput."""
    lines = b"".join(_line(sent) for sent in texts)
    if len(lines) > MAX_TEXTS_BYTES:
        told = f"The texts have {len(lines)} bytes together; a call takes up to {MAX_TEXTS_BYTES}."
        raise InvalidInput(told, field="texts")
    return lines


def _line(sent: SentText) -> bytes:
    fields = {
        "key": sent.key,
        "text": sent.text,
        "title": sent.title,
        "media_type": sent.media_type,
        "metadata": json.loads(sent.metadata_json),
        "tags": sent.tags,
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode() + b"\n"
