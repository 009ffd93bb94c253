"""The description of the HTTP interface."""

import json
from typing import Any

import pytest
from openapi_spec_validator import validate

from gateway.api.openapi.contracts import read_contracts
from gateway.api.openapi.document import describe, open_api


@pytest.fixture(scope="module")
def document() -> Any:
    return json.loads(open_api())


def test_it_is_valid_openapi(document: Any) -> None:
    assert document["openapi"] == "3.1.0"
    validate(document)


def test_every_binding_of_the_contracts_is_in_it(document: Any) -> None:
    bindings = read_contracts().bindings
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert len(operations) == len(bindings) > 20
    assert len({operation["operationId"] for operation in operations}) == len(operations)


def test_an_upload_is_a_form_or_a_raw_body_and_answered_202(document: Any) -> None:
    upload = document["paths"]["/api/v1/rag/upload"]["post"]
    assert set(upload["requestBody"]["content"]) == {"multipart/form-data", "application/octet-stream"}
    assert set(upload["responses"]) == {"202", "default"}
    assert {parameter["name"] for parameter in upload["parameters"]} >= {"collection", "sha256", "Idempotency-Key"}


def test_events_are_a_stream_of_text(document: Any) -> None:
    events = document["paths"]["/api/v1/rag/jobs/{job}/events"]["get"]
    assert set(events["responses"]["200"]["content"]) == {"text/event-stream"}


def test_long_integers_are_strings_and_enums_are_names(document: Any) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["acervo.rag.v1.Job"]["properties"]["revision"]["type"] == "string"
    assert "JOB_STATE_QUEUED" in schemas["acervo.rag.v1.JobState"]["enum"]
    assert schemas["acervo.rag.v1.Document"]["properties"]["properties"]["additionalProperties"] == {"type": "string"}


def test_comments_and_rules_of_the_contracts_are_told(document: Any) -> None:
    search = document["paths"]["/api/v1/search"]["get"]
    assert search["summary"] == "Finds the passages that fit a query best, by words and by meaning."
    limit = next(parameter for parameter in search["parameters"] if parameter["name"] == "limit")
    assert (limit["schema"]["minimum"], limit["schema"]["maximum"]) == (0, 1000)
    query = next(parameter for parameter in search["parameters"] if parameter["name"] == "query")
    assert not query["required"], "a vector may stand for it"
    key = document["components"]["schemas"]["acervo.gateway.v1.Text"]["properties"]["key"]
    assert key["minLength"] == 1


def test_errors_have_a_schema_and_on_openai_s_paths_openai_s(document: Any) -> None:
    for name, path in document["paths"].items():
        for operation in path.values():
            schema = operation["responses"]["default"]["content"]["application/json"]["schema"]
            if name.startswith("/v1/"):
                assert schema["required"] == ["error"]
            else:
                assert schema == {"$ref": "#/components/schemas/google.rpc.Status"}


def test_bodies_that_are_no_messages_are_described(document: Any) -> None:
    create = document["paths"]["/v1/embeddings"]["post"]
    asked = create["requestBody"]["content"]["application/json"]["schema"]
    assert (asked["required"], asked["properties"]["encoding_format"]["enum"]) == (["input"], ["float", "base64"])
    assert create["responses"]["200"]["content"]["application/json"]["schema"]["properties"]["data"]["type"] == "array"
    assert set(document["paths"]) >= {
        "/v1/rerank",
        "/v1/models",
        "/api/v1/embeddings",
        "/api/v1/rerank",
        "/api/v1/models",
    }


def test_it_is_made_anew_alike() -> None:
    assert describe(read_contracts()) == json.loads(open_api())
