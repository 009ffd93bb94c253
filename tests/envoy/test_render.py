"""What the renderer writes is valid for Envoy and covers every RPC."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from acervo.gateway.v1 import edge_service_pb2, event_service_pb2, openai_service_pb2, upload_service_pb2
from acervo.rag.v1 import embedding_service_pb2, error_reason_pb2, job_service_pb2
from tests.envoy.conftest import ENVOY, ROOT, render

LOCAL = ["--listen", "127.0.0.1:8080", "--admin", "127.0.0.1:8083", "--gateway", "127.0.0.1:50050"]
CONTAINERS = ["--listen", "0.0.0.0:8080", "--admin", "127.0.0.1:9901", "--gateway", "gateway:50050"]
SIX = ["--listen", "[::1]:8080", "--admin", "[::1]:8083", "--gateway", "[::1]:50050"]


@pytest.mark.parametrize("arguments", [LOCAL, CONTAINERS, SIX], ids=["local", "containers", "ipv6"])
def test_envoy_accepts_the_configuration(arguments: list[str], tmp_path: Path) -> None:
    config = tmp_path / "envoy.yaml"
    config.write_text(render(*arguments))
    command = [ENVOY, "--mode", "validate", "-l", "warning", "-c", str(config)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    assert "deprecated" not in result.stderr.lower()


def test_a_gateway_given_by_name_is_looked_up_and_one_given_by_address_is_not() -> None:
    assert cluster(CONTAINERS)["type"] == "STRICT_DNS"
    assert cluster(LOCAL)["type"] == "STATIC"


def test_every_service_of_the_contracts_is_transcoded_and_every_rpc_has_its_route() -> None:
    connections = connection_manager(LOCAL)
    services = next(
        item["typed_config"]["services"] for item in connections["http_filters"] if "transcoder" in item["name"]
    )
    paths = {route["match"].get("path") for route in routes(LOCAL)}
    modules = (edge_service_pb2, event_service_pb2, upload_service_pb2, openai_service_pb2, job_service_pb2)
    for module in (*modules, embedding_service_pb2):
        for service in module.DESCRIPTOR.services_by_name.values():
            assert service.full_name in services
            assert {f"/{service.full_name}/{method.name}" for method in service.methods} <= paths


def test_only_reads_are_tried_again() -> None:
    retried = {route["name"].rpartition("/")[2] for route in routes(LOCAL) if "retry_policy" in route["route"]}
    assert {"GetJob", "Search", "GetReadiness"} <= retried
    assert not {"DeleteDocument", "CancelJob", "RetryJob", "BeginIngest", "Ingest", "Upload"} & retried


def test_only_reads_that_are_answered_soon_are_put_to_two_gateways() -> None:
    hedged = {route["name"].rpartition("/")[2] for route in routes(LOCAL) if "hedge_policy" in route["route"]}
    assert {"Search", "ListDocuments", "GetReadiness"} <= hedged
    assert not {"GetJob", "JobStatus", "Embed", "CreateEmbeddings", "Verify", "CancelJob", "UpsertTexts"} & hedged


def test_the_upload_limit_leaves_room_for_form_fields_and_framing() -> None:
    filters = connection_manager([*LOCAL, "--max-upload-bytes", "1000000"])["http_filters"]
    limit = next(item["typed_config"] for item in filters if item["name"] == "body_limit_upload")
    assert 1_000_000 + 65_536 < limit["max_request_bytes"] < 3_000_000


def test_texts_may_be_larger_than_other_bodies() -> None:
    unlimited = {route["name"] for route in routes(LOCAL) if "typed_per_filter_config" in route}
    assert {"rest UpsertTexts", "acervo.gateway.v1.TextService/UpsertTexts", "rest Upload"} <= unlimited
    assert "acervo.rag.v1.SearchService/Search" not in unlimited


def test_the_admin_interface_is_refused_outside_of_loopback() -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        render("--listen", "0.0.0.0:8080", "--admin", "0.0.0.0:9901", "--gateway", "gateway:50050")
    assert "loopback" in refused.value.stderr


def test_every_reason_that_the_edge_gives_is_in_the_contract() -> None:
    mappers = connection_manager(LOCAL)["local_reply_config"]["mappers"]
    bodies = [mapper["body_format_override"].get("json_format") for mapper in mappers]
    reasons = {body["details"][0]["reason"] for body in bodies if body and "details" in body}
    told = {body["error"]["code"].upper() for body in bodies if body and "error" in body}  # on OpenAI's paths
    contract = {name.removeprefix("ERROR_REASON_") for name in error_reason_pb2.ErrorReason.keys()}  # noqa: SIM118 - no dict
    assert len(reasons) > 5
    assert told == reasons
    assert reasons <= contract


def test_the_template_has_no_name_without_a_value() -> None:
    assert "$" in (ROOT / "envoy" / "envoy.yaml").read_text()
    assert ": $" not in render(*LOCAL)


def connection_manager(arguments: list[str]) -> Any:
    (listener,) = yaml.safe_load(render(*arguments))["static_resources"]["listeners"]
    return listener["filter_chains"][0]["filters"][0]["typed_config"]


def routes(arguments: list[str]) -> Any:
    (host,) = connection_manager(arguments)["route_config"]["virtual_hosts"]
    return host["routes"]


def cluster(arguments: list[str]) -> Any:
    (only,) = yaml.safe_load(render(*arguments))["static_resources"]["clusters"]
    return only
