"""The real `openai` client, and the other routes that lend the models, against a whole Acervo."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

from bench.client import Client
from bench.stack import Stack
from tests.rag_server.adapters.fastembed.cross_encoder import make_cross_encoder
from tests.system import documents
from tests.system.conftest import Starting
from tests.system.curl import Answer, curl

TEXTS = ["A licitação pública é obrigatória.", "Cats sleep most of the day.", "Um contrato tem partes."]


@pytest.fixture(scope="module")
def lender(tmp_path_factory: pytest.TempPathFactory, starting: Starting) -> Iterator[Stack]:
    """With a reranker that scores by length."""
    folder = tmp_path_factory.mktemp("lender")
    reranker = make_cross_encoder(folder / "counting")
    with starting(folder / "data", {"ACERVO_RERANKER": str(reranker)}) as stack:
        yield stack


@pytest.fixture(scope="module")
def client(lender: Stack) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{lender.url}/v1", api_key="none", max_retries=0, timeout=100) as client:
        yield client


def post(stack: Stack, path: str, fields: dict[str, Any]) -> Answer:
    return curl("--json", json.dumps(fields), f"{stack.url}{path}")


def test_the_openai_client_gets_the_vectors_that_searches_use(client: openai.OpenAI, lender: Stack) -> None:
    response = client.embeddings.create(model="bundled", input=TEXTS)  # it asks for base64 by itself
    own = post(lender, "/api/v1/embeddings", {"texts": TEXTS}).json
    assert [item.index for item in response.data] == [0, 1, 2]
    for item, embedding in zip(response.data, own["embeddings"], strict=True):
        assert item.embedding == pytest.approx(embedding["values"], abs=1e-7)
    assert (response.model, own["model"], own["dimensions"]) == ("bundled", "bundled", 256)
    assert response.usage.total_tokens == int(own["token_count"]) > len(TEXTS)


def test_numbers_are_the_same_in_both_encodings(client: openai.OpenAI) -> None:
    decoded = client.embeddings.create(model="bundled", input=TEXTS[0])  # base64, which it decodes
    numbers = client.embeddings.create(model="bundled", input=TEXTS[0], encoding_format="float")
    assert numbers.data[0].embedding == pytest.approx(decoded.data[0].embedding, rel=1e-8)


def test_the_client_lists_the_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["bundled", "counting"]


def test_a_batch_of_2048_texts_is_answered_in_order(client: openai.OpenAI) -> None:
    texts = [f"texto número {number}" for number in range(2_048)]
    data = client.embeddings.create(model="bundled", input=texts).data
    assert [item.index for item in data] == list(range(2_048))
    alone = client.embeddings.create(model="bundled", input=texts[1_234]).data[0]
    assert data[1_234].embedding == pytest.approx(alone.embedding, abs=1e-6)


@pytest.mark.parametrize(
    ("fields", "error", "code"),
    [
        ({"model": "text-embedding-3-small", "input": "a"}, openai.NotFoundError, "model_not_found"),
        ({"model": "bundled", "input": "lei " * 3_000}, openai.BadRequestError, "text_too_long"),
        ({"model": "bundled", "input": "a", "dimensions": 64}, openai.BadRequestError, "invalid_request"),
        ({"model": "bundled", "input": [[1, 2]]}, openai.BadRequestError, "invalid_request"),
        ({"model": "bundled", "input": ["a"] * 2_049}, openai.BadRequestError, "invalid_request"),
    ],
)
def test_the_client_raises_its_own_errors(
    client: openai.OpenAI, fields: dict[str, Any], error: type[openai.APIStatusError], code: str
) -> None:
    with pytest.raises(error) as raised:
        client.embeddings.create(**fields)
    assert raised.value.code == code
    assert raised.value.type == "invalid_request_error"
    assert raised.value.request_id


def test_a_long_text_is_cut_where_that_was_asked_for(client: openai.OpenAI) -> None:
    response = client.embeddings.create(model="bundled", input="lei " * 3_000, extra_body={"truncate": True})
    assert response.usage.total_tokens == 512


def test_documents_are_reranked_on_both_routes(lender: Stack) -> None:
    asked = {"query": "lei", "documents": ["a", "a a a a"], "top_n": 1, "return_documents": True}
    own = post(lender, "/api/v1/rerank", asked).json
    usual = post(lender, "/v1/rerank", {**asked, "documents": ["a", {"text": "a a a a"}], "model": "counting"}).json
    (result,), (usual_result,) = own["results"], usual["results"]
    assert (result["index"], result["document"]) == (1, "a a a a")
    assert usual_result == {
        "index": 1,
        "relevance_score": pytest.approx(result["relevance_score"]),
        "document": {"text": "a a a a"},
    }
    assert 0 < result["relevance_score"] < 1
    assert usual["usage"]["total_tokens"] == int(own["token_count"]) > 0


def test_without_a_reranker_it_is_said_what_to_set(stack: Stack) -> None:
    answer = post(stack, "/api/v1/rerank", {"query": "a", "documents": ["b"]})
    assert (answer.status, answer.reason) == (400, "RERANKER_NOT_CONFIGURED")
    usual = post(stack, "/v1/rerank", {"query": "a", "documents": ["b"]})
    assert (usual.status, usual.json["error"]["code"]) == (400, "reranker_not_configured")


def test_the_models_are_listed_with_what_a_client_must_know(lender: Stack) -> None:
    embedder, reranker = curl(f"{lender.url}/api/v1/models").json["models"]
    assert (embedder["kind"], embedder["dimensions"], embedder["max_tokens"]) == ("MODEL_KIND_EMBEDDER", 256, 512)
    assert (reranker["kind"], reranker["name"]) == ("MODEL_KIND_RERANKER", "counting")
    assert embedder["fingerprint"] != reranker["fingerprint"]


def test_searches_are_answered_while_a_large_batch_is_embedded(client: openai.OpenAI, lender: Stack) -> None:
    word = documents.new_word()
    texts = [f"{number} " + "a lei de licitações e contratos " * 50 for number in range(2_048)]
    answered = 0
    with Client(lender.url) as acervo, ThreadPoolExecutor(1) as pool:
        acervo.take_in("a.txt", documents.text(word), "default")
        batch = pool.submit(client.embeddings.create, model="bundled", input=texts)
        while not batch.done():
            assert len(acervo.passages_with(word, "default")) == 1
            answered += not batch.done()
        assert len(batch.result().data) == 2_048
    assert answered > 0
