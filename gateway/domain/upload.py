"""What a client asks for with an upload, once it is decided what that means."""

import json
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, NoReturn

from gateway.domain import names
from serving.errors import InvalidInput

DEFAULT_COLLECTION = "default"
DEFAULT_PRIORITY = 5
MAX_REQUEST_ID_CHARS = 128
MAX_MEDIA_TYPE_BYTES = 255
MAX_METADATA_FIELDS = 64
MAX_METADATA_BYTES = 65_536
MAX_METADATA_DEPTH = 16


class UploadKind(StrEnum):
    """What the bytes are."""

    INGEST = "INGEST"  # a file
    TEXTS = "TEXTS"  # texts, a JSON object a line


@dataclass(frozen=True, slots=True)
class Upload:
    """One document to take in; or, without key and name, texts that become a document each."""

    document_key: str
    file_name: str
    collection: str = DEFAULT_COLLECTION  # the bare id
    media_type: str = ""
    metadata_json: str = "{}"
    tags: tuple[str, ...] = ()
    priority: int = DEFAULT_PRIORITY
    request_id: str = ""
    kind: UploadKind = UploadKind.INGEST


@dataclass(frozen=True, slots=True)
class Announced:
    """What the client says about the bytes beforehand or at their end; None and empty mean nothing."""

    size_bytes: int | None = None
    sha256: str = ""


def settled(asked: Upload) -> Upload:
    """The upload with names made harmless, defaults filled in and metadata checked. Raises InvalidInput."""
    if not (asked.document_key or asked.file_name):
        raise InvalidInput("A document needs a document_key or a file_name.", field="file_name")
    if len(asked.media_type.encode()) > MAX_MEDIA_TYPE_BYTES:
        raise InvalidInput(f"A media type has at most {MAX_MEDIA_TYPE_BYTES} bytes.", field="media_type")
    name = names.relative_path(asked.file_name or asked.document_key)
    return replace(
        asked,
        collection=asked.collection.removeprefix("collections/") or DEFAULT_COLLECTION,
        document_key=names.key(asked.document_key) if asked.document_key else name,
        file_name=name,
        media_type=names.clean(asked.media_type),
        metadata_json=checked_metadata(asked.metadata_json),
        tags=tuple(tag for tag in map(names.clean, asked.tags) if tag),
    )


def numbered(upload: Upload, number: int) -> Upload:
    """The upload as one file of several: a request id of its own, made from the whole's. Raises InvalidInput."""
    if not upload.request_id:
        return upload
    request_id = f"{upload.request_id}:{number}"
    if len(request_id) > MAX_REQUEST_ID_CHARS:
        told = f"A request id for several files has at most {MAX_REQUEST_ID_CHARS - 4} characters."
        raise InvalidInput(told, field="request_id")
    return replace(upload, request_id=request_id)


def checked_metadata(text: str) -> str:
    """A JSON object in its shortest form; `{}` for the empty text. Raises InvalidInput."""
    if not text:
        return "{}"
    try:
        values = json.loads(text, parse_constant=_no_constant)
        if not isinstance(values, dict):
            raise InvalidInput("The metadata must be a JSON object.", field="metadata")
        shortest = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        size_bytes = len(shortest.encode())
    except (ValueError, RecursionError) as error:
        raise InvalidInput("The metadata is not valid JSON.", field="metadata") from error
    if len(values) > MAX_METADATA_FIELDS or size_bytes > MAX_METADATA_BYTES or _depth(values) > MAX_METADATA_DEPTH:
        told = (
            f"The metadata has at most {MAX_METADATA_FIELDS} fields, {MAX_METADATA_BYTES} bytes "
            f"and {MAX_METADATA_DEPTH} levels."
        )
        raise InvalidInput(told, field="metadata")
    return shortest


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(_depth, inner), default=0)
