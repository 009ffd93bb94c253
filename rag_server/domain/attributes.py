"""What filters can tell of a document, from what the store keeps of it; and the conditions that ask for just that."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeGuard

from rag_server.domain.document import Document
from rag_server.domain.filter import Attributes, Comparison, Condition, Field, Json, Scalar, values_of

_PDF_DATE = re.compile(r"^D:(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:Z|([+-]\d\d)'?(\d\d)?)?")
_PARTIAL_DATE = re.compile(r"^(\d{4})(?:-(\d\d))?$")


def attributes_of(version_id: int, document: Document) -> Attributes:
    """Of a document whose current version has this id."""
    properties = document.properties
    return Attributes(
        version_id=version_id,
        collection=document.collection,
        document_id=document.document_id,
        document_key=document.document_key,
        file_name=document.file_name,
        media_type=document.media_type.partition(";")[0].strip().lower(),
        language=properties.get("language", "").strip().lower().replace("_", "-").partition("-")[0],
        tags=document.tags,
        create_time=document.create_time,
        update_time=document.update_time,
        created=time_of(properties.get("created", "")),
        modified=time_of(properties.get("modified", "")),
        metadata=_metadata_of(document.metadata_json),
    )


def time_of(written: str) -> float | None:
    """Seconds since the epoch of a date as files have it; None if it is none.

    That is ISO 8601, a year or a month alone, or a date as in PDF files. Where no zone is told it is UTC; a date is its
    first moment.
    """
    text = written.strip()
    partial = _PARTIAL_DATE.match(text)
    pdf = _PDF_DATE.match(text)
    if partial:
        text = f"{partial[1]}-{partial[2] or '01'}-01"
    elif pdf:
        year, month, day, hour, minute, second, zone_hour, zone_minute = pdf.groups()
        zone = f"{zone_hour}:{zone_minute or '00'}" if zone_hour else ""
        text = f"{year}-{month or '01'}-{day or '01'}T{hour or '00'}:{minute or '00'}:{second or '00'}{zone}"
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _metadata_of(text: str) -> Mapping[str, Json]:
    """Every number is a float; what JSON does not know (NaN) is null."""
    found = json.loads(text or "{}", parse_int=float, parse_constant=lambda _: None)
    return found if isinstance(found, dict) else {}


def conditions_of(document: Attributes) -> list[Condition]:
    """Conditions that all hold of the document, whatever its pages: as many as can be told from its attributes."""
    conditions = []
    for field in Field:
        if field not in (Field.PAGE, Field.METADATA):
            anything = Condition(field, Comparison.EQUAL)
            values = values_of(anything, document, range(0))
            conditions += [replace(anything, value=value) for value in values if _is_scalar(value)]
    return [*conditions, *_metadata_conditions((), document.metadata)]


def _metadata_conditions(path: tuple[str, ...], value: Json) -> list[Condition]:
    if isinstance(value, Mapping):
        return [each for name, inner in value.items() for each in _metadata_conditions((*path, name), inner)]
    several = value if isinstance(value, list | tuple) else (value,)
    return [Condition(Field.METADATA, Comparison.EQUAL, each, path) for each in several if _is_scalar(each)]


def _is_scalar(value: Json) -> TypeGuard[Scalar]:
    return value is None or isinstance(value, str | int | float)
