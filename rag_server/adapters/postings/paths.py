"""What is kept of a document's attributes: its values by field and, in the metadata, by path."""

from collections.abc import Iterator, Mapping

from rag_server.domain.filter import Attributes, Field, Json

Place = tuple[str, ...]  # a field and, of METADATA, the path

# Metadata beyond these is not kept whole; the document is then remembered as one that may have more.
DEEPEST = 8
MOST_PATHS = 256  # of one document
MOST_VALUES = 1_024  # of one document

# These differ with nearly every document: kept as keys, not as texts.
KEY_FIELDS = (Field.DOCUMENT, Field.DOCUMENT_KEY, Field.FILE_NAME)
_KEPT = (
    Field.MEDIA_TYPE, Field.LANGUAGE, Field.TAGS, Field.CREATE_TIME, Field.UPDATE_TIME, Field.CREATED, Field.MODIFIED,
)  # fmt: skip


class TooMuch(Exception):
    """The metadata is deeper, or has more paths or values, than is kept."""


def keys_of(attributes: Attributes) -> tuple[str, str, str]:
    """The values of KEY_FIELDS."""
    return attributes.document_id, attributes.document_key, attributes.file_name


def plain_values(attributes: Attributes) -> Iterator[tuple[Place, Json]]:
    """The values of all other fields but the metadata."""
    for field in _KEPT:
        value = getattr(attributes, field)
        for each in dict.fromkeys(value) if isinstance(value, tuple) else (value,):
            yield (field,), each


def metadata_values(metadata: Mapping[str, Json]) -> Iterator[tuple[Place, Json]]:
    """The values at each path, those of lists one by one. Raises TooMuch after the last one that is kept."""
    paths = values = 0
    cut = False
    waiting: list[tuple[Place, Mapping[str, Json]]] = [((Field.METADATA,), metadata)]
    while waiting:
        place, mapping = waiting.pop()
        for name, value in mapping.items():
            paths += 1
            several = value if isinstance(value, list | tuple) else (value,)
            values += len(several)
            if paths > MOST_PATHS or values > MOST_VALUES:
                raise TooMuch
            here = (*place, name)
            for each in several:
                yield here, each
            if isinstance(value, Mapping):
                if len(place) < DEEPEST:
                    waiting.append((here, value))
                else:
                    cut = cut or bool(value)
    if cut:
        raise TooMuch
