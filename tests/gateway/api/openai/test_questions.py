"""What clients of OpenAI's shape send is understood, or refused by the field that is at fault."""

import json
from typing import Any

import pytest

from acervo.rag.v1 import embedding_service_pb2 as pb
from gateway.api.openai.questions import embed_question, rerank_request
from serving.errors import InvalidInput


def body(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


@pytest.mark.parametrize(("given", "texts"), [("um", ["um"]), (["um", "dois"], ["um", "dois"])])
def test_input_is_a_text_or_a_list_of_texts(given: object, texts: list[str]) -> None:
    question = embed_question(body(input=given, model="bundled"))
    assert list(question.request.texts) == texts
    assert question.request.model == "bundled"
    assert question.request.kind == pb.TEXT_KIND_PASSAGE


def test_what_is_said_beside_the_input_is_heard() -> None:
    fields = {"encoding_format": "base64", "dimensions": 64, "truncate": True, "input_type": "query"}
    question = embed_question(body(input="a", **fields))
    assert question.as_base64
    assert (question.request.dimensions, question.request.truncate) == (64, True)
    assert question.request.kind == pb.TEXT_KIND_QUERY


def test_unknown_fields_the_user_and_nulls_are_ignored() -> None:
    nulls = dict.fromkeys(("model", "encoding_format", "dimensions", "truncate", "input_type"))
    question = embed_question(body(input="a", user="someone", whatever={"a": 1}, **nulls))
    assert question.request == pb.EmbedRequest(texts=["a"], kind=pb.TEXT_KIND_PASSAGE)
    assert not question.as_base64


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "input"),
        ({"input": []}, "input"),
        ({"input": None}, "input"),
        ({"input": {"text": "a"}}, "input"),
        ({"input": ["a", 1]}, "input[1]"),
        ({"input": ["a", None]}, "input[1]"),
        ({"input": "a", "model": 1}, "model"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "dimensions": True}, "dimensions"),
        ({"input": "a", "dimensions": 1 << 40}, "dimensions"),
        ({"input": "a", "dimensions": 1.5}, "dimensions"),
        ({"input": "a", "truncate": "yes"}, "truncate"),
        ({"input": "a", "input_type": "picture"}, "input_type"),
    ],
)
def test_a_field_of_another_kind_is_named(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        embed_question(body(**fields))
    assert refused.value.field == field


@pytest.mark.parametrize("given", [[1, 2, 3], [[1, 2], [3]]])
def test_token_ids_are_refused_with_the_advice_to_send_text(given: object) -> None:
    with pytest.raises(InvalidInput, match="send the text") as refused:
        embed_question(body(input=given))
    assert refused.value.field == "input"


@pytest.mark.parametrize(
    "data", [b"", b"no", b"[]", b'"a"', b"\xff", b"[" * 100_000, b'{"input": ' + b"9" * 5_000 + b"}"]
)
def test_a_body_that_is_no_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        embed_question(data)


def test_half_of_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(InvalidInput, match="surrogate"):
        embed_question(b'{"input": ["\\ud83d"]}')
    assert list(embed_question(b'{"input": ["\\ud83d\\ude00"]}').request.texts) == ["😀"]


def test_documents_are_texts_or_objects_with_a_text() -> None:
    request = rerank_request(body(query="q", documents=["a", {"text": "b", "id": 1}], top_n=1, return_documents=True))
    assert request == pb.RerankRequest(query="q", documents=["a", "b"], top_n=1, return_documents=True)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"query": "q"}, "documents"),
        ({"query": "q", "documents": "a"}, "documents"),
        ({"query": "q", "documents": ["a", {"body": "b"}]}, "documents[1]"),
        ({"query": 1, "documents": ["a"]}, "query"),
        ({"query": "q", "documents": ["a"], "top_n": -1}, "top_n"),
        ({"query": "q", "documents": ["a"], "return_documents": 1}, "return_documents"),
    ],
)
def test_a_question_that_cannot_be_ranked_is_named(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        rerank_request(body(**fields))
    assert refused.value.field == field
