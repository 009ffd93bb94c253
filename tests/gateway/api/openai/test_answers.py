"""What clients of OpenAI's shape read."""

import base64
import json
import struct

from hypothesis import given
from hypothesis import strategies as st

from acervo.rag.v1 import embedding_service_pb2 as pb
from acervo.rag.v1 import model_pb2
from gateway.api.openai import answers

FLOATS = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=20)


def response(*vectors: list[float]) -> pb.EmbedResponse:
    embeddings = [pb.Embedding(values=vector) for vector in vectors]
    return pb.EmbedResponse(embeddings=embeddings, model='a "model"', token_count=7)


@given(FLOATS)
def test_base64_is_little_endian_float32(values: list[float]) -> None:
    told = json.loads(answers.embeddings(response(values), as_base64=True))["data"][0]["embedding"]
    assert base64.b64decode(told) == struct.pack(f"<{len(values)}f", *values)


@given(FLOATS)
def test_numbers_are_exact(values: list[float]) -> None:
    told = json.loads(answers.embeddings(response(values), as_base64=False))["data"][0]["embedding"]
    assert list(struct.unpack(f"{len(told)}f", struct.pack(f"{len(told)}f", *told))) == values


def test_a_list_of_embeddings_is_a_list_in_openai_s_words() -> None:
    told = json.loads(answers.embeddings(response([1.0], [0.5]), as_base64=False))
    assert told == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [1]},
            {"object": "embedding", "index": 1, "embedding": [0.5]},
        ],
        "model": 'a "model"',
        "usage": {"prompt_tokens": 7, "total_tokens": 7},
    }


def test_results_have_their_documents_where_they_were_asked_for() -> None:
    results = [pb.RerankResult(index=3, relevance_score=0.25, document="é")]
    told = pb.RerankResponse(results=results, model="words", token_count=9)
    bare = {"index": 3, "relevance_score": 0.25}
    usage = {"prompt_tokens": 9, "total_tokens": 9}
    assert json.loads(answers.reranking(told, told=False)) == {"results": [bare], "model": "words", "usage": usage}
    assert json.loads(answers.reranking(told, told=True))["results"] == [{**bare, "document": {"text": "é"}}]


def test_models_have_what_openai_s_have_and_what_they_are() -> None:
    model = model_pb2.Model(name="words", kind=model_pb2.MODEL_KIND_RERANKER, max_tokens=9, fingerprint="f")
    (told,) = json.loads(answers.models(pb.ListModelsResponse(models=[model])))["data"]
    assert (told["id"], told["object"], told["owned_by"], told["kind"]) == ("words", "model", "acervo", "reranker")
    assert isinstance(told["created"], int)
