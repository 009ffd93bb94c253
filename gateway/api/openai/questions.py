"""What OpenAI's clients ask, taken out of their JSON. How much there is of it the edge has bounded.

Fields that are not known are ignored; `null` is the same as nothing.
"""

import json
from dataclasses import dataclass
from typing import Any, TypeVar

from acervo.rag.v1 import embedding_service_pb2 as pb
from serving.errors import InvalidInput

KINDS = {"": pb.TEXT_KIND_PASSAGE, "query": pb.TEXT_KIND_QUERY, "passage": pb.TEXT_KIND_PASSAGE}
FORMATS = {"": False, "float": False, "base64": True}
MOST_DIMENSIONS = (1 << 31) - 1
TOKENS_REFUSED = (
    "Lists of token ids are not taken: send the text. What ids mean depends on the tokenizer that made them. "
    "(LangChain sends text with check_embedding_ctx_length=False.)"
)

Fields = dict[str, Any]
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class EmbedQuestion:
    """What is asked, and how the vectors are to be written."""

    request: pb.EmbedRequest
    as_base64: bool


def embed_question(body: bytes) -> EmbedQuestion:
    """Raises InvalidInput."""
    fields = _fields(body)
    request = pb.EmbedRequest(
        texts=_input(fields),
        model=_text(fields, "model"),
        kind=_choice(fields, "input_type", KINDS),
        truncate=_flag(fields, "truncate"),
        dimensions=_count(fields, "dimensions"),
    )
    return EmbedQuestion(request, _choice(fields, "encoding_format", FORMATS))


def rerank_request(body: bytes) -> pb.RerankRequest:
    """Raises InvalidInput."""
    fields = _fields(body)
    documents = fields.get("documents")
    if not isinstance(documents, list):
        raise InvalidInput("documents must be a list of texts.", field="documents")
    return pb.RerankRequest(
        query=_text(fields, "query"),
        documents=[_document(document, place) for place, document in enumerate(documents)],
        model=_text(fields, "model"),
        top_n=_count(fields, "top_n"),
        return_documents=_flag(fields, "return_documents"),
    )


def _fields(body: bytes) -> Fields:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("The body must be a JSON object.") from error
    if not isinstance(fields, dict):
        raise InvalidInput("The body must be a JSON object.")
    return fields


def _input(fields: Fields) -> list[str]:
    given = fields.get("input")
    if isinstance(given, str):
        return [_unicode(given, "input")]
    if not isinstance(given, list) or not given:
        raise InvalidInput("input must be a text or a list of texts that is not empty.", field="input")
    if isinstance(given[0], int | list):
        raise InvalidInput(TOKENS_REFUSED, field="input")
    for place, text in enumerate(given):
        if not isinstance(text, str):
            raise InvalidInput(f"input[{place}] must be a text.", field=f"input[{place}]")
    return [_unicode(text, f"input[{place}]") for place, text in enumerate(given)]


def _document(given: object, place: int) -> str:
    text = given.get("text") if isinstance(given, dict) else given
    if not isinstance(text, str):
        field = f"documents[{place}]"
        raise InvalidInput(f"{field} must be a text or an object with a text.", field=field)
    return _unicode(text, f"documents[{place}]")


def _text(fields: Fields, name: str) -> str:
    given = fields.get(name)
    if given is None:
        return ""
    if not isinstance(given, str):
        raise InvalidInput(f"{name} must be a text.", field=name)
    return _unicode(given, name)


def _unicode(text: str, field: str) -> str:
    # JSON can escape one half of a pair of surrogates, which is no character and which protobuf does not take.
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidInput(f"{field} holds half of a surrogate pair.", field=field) from None
    return text


def _choice(fields: Fields, name: str, values: dict[str, Value]) -> Value:
    given = _text(fields, name)
    if given not in values:
        known = ", ".join(value for value in values if value)
        raise InvalidInput(f"{name} must be one of {known}.", field=name)
    return values[given]


def _flag(fields: Fields, name: str) -> bool:
    given = fields.get(name)
    if given is not None and not isinstance(given, bool):
        raise InvalidInput(f"{name} must be true or false.", field=name)
    return bool(given)


def _count(fields: Fields, name: str) -> int:
    """A whole number from 1; 0 where there is none."""
    given = fields.get(name)
    if given is None:
        return 0
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= MOST_DIMENSIONS:
        raise InvalidInput(f"{name} must be a whole number from 1.", field=name)
    return given
