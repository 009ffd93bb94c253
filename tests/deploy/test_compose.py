"""The compose files, held against the specification, the Dockerfile and the program."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from gateway.settings import read as read_gateway
from rag_server.settings import read as read_rag_server
from serving.environment import KNOWN
from serving.server import DRAIN_S, GRACE_S
from storage.profile import Embedded, Production
from tests.deploy.composition import DEPLOY, EXAMPLE, NAMES, load, required
from tests.deploy.dockerfile import DOCKERFILE, last, stages, variables

FILES = {name: load(name, required()) for name in NAMES}
SERVICES = [(name, service) for name, file in FILES.items() for service in file["services"]]
OURS = [(name, service) for name, service in SERVICES if "build" in FILES[name]["services"][service]]
ONCE = {"migrate", "observer"}
WITHOUT_A_SHELL = {"collector"}  # nothing in its image could ask how it is


def service_of(file: str, service: str) -> Any:
    return FILES[file]["services"][service]


def environment(file: str, service: str) -> dict[str, str]:
    given: dict[str, str] = service_of(file, service).get("environment", {})
    return variables(service_of(file, service)["build"]["target"]) | given


def sources(file: str) -> list[str]:
    volumes = [volume for service in FILES[file]["services"].values() for volume in service.get("volumes", [])]
    return [volume.partition(":")[0] for volume in volumes if ":" in volume]


@pytest.mark.parametrize("file", NAMES)
def test_a_file_is_what_the_specification_allows_and_refers_to_what_there_is(file: str) -> None:
    PyCompose.from_yaml(yaml.safe_dump(FILES[file])).validate()


@pytest.mark.parametrize("name", sorted(required()))
def test_production_does_not_start_without_a_password(name: str) -> None:
    with pytest.raises(LookupError, match=name):
        load("production", required() | {name: ""})


def test_the_example_has_every_variable_that_the_files_read() -> None:
    read = {
        name
        for file in NAMES
        for line in (DEPLOY / f"compose.{file}.yaml").read_text().splitlines()
        if not line.lstrip().startswith("#")
        for name in re.findall(r"\$\{(\w+)", line)
    }
    assert read == set(re.findall(r"^#?([A-Z_]+)=", EXAMPLE.read_text(), re.MULTILINE))


def test_there_are_two_gateways_and_two_servers_and_all_that_the_profile_needs() -> None:
    services = FILES["production"]["services"]
    assert {"envoy", "gateway", "serve", "work", "postgres", "redis", "collector", "prometheus", "grafana"} <= set(
        services
    )
    assert services["gateway"]["deploy"]["replicas"] == services["serve"]["deploy"]["replicas"] == 2


@pytest.mark.parametrize(("file", "service"), OURS)
def test_settings_are_known(file: str, service: str) -> None:
    assert {name for name in environment(file, service) if name.startswith("ACERVO_")} <= KNOWN


@pytest.mark.parametrize("service", ["gateway", "serve", "work"])
def test_the_programs_take_their_settings(service: str) -> None:
    for file, profile in (("embedded", Embedded), ("production", Production)):
        for read in (read_gateway, lambda given: read_rag_server(given, 2)):
            assert isinstance(read(environment(file, service)).storage, profile)


@pytest.mark.parametrize(("file", "service"), OURS)
def test_an_image_is_a_stage_that_there_is(file: str, service: str) -> None:
    build = service_of(file, service)["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).resolve() == DOCKERFILE
    assert build["target"] in stages()


@pytest.mark.parametrize(("file", "service"), SERVICES)
def test_an_image_has_a_tag_and_no_host(file: str, service: str) -> None:
    assert re.fullmatch(r"([a-z0-9-]+/)?[a-z0-9-]+:(?!latest)[a-z0-9.-]+", service_of(file, service)["image"])


@pytest.mark.parametrize(("file", "service"), SERVICES)
def test_a_service_has_no_more_rights_than_it_needs(file: str, service: str) -> None:
    given = service_of(file, service)
    assert given["read_only"] is True
    assert given["cap_drop"] == ["ALL"]
    assert set(given.get("cap_add", [])) <= (
        {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"} if service == "postgres" else set()
    )
    assert "no-new-privileges:true" in given["security_opt"]
    assert "privileged" not in given


@pytest.mark.parametrize(("file", "service"), SERVICES)
def test_a_service_is_bounded_and_started_again(file: str, service: str) -> None:
    given = service_of(file, service)
    assert {"cpus", "memory", "pids"} <= set(given["deploy"]["resources"]["limits"])
    assert {"max-size", "max-file"} <= set(given["logging"]["options"])
    assert given["restart"] == ("on-failure" if service in ONCE else "unless-stopped")


@pytest.mark.parametrize(("file", "service"), SERVICES)
def test_a_service_says_how_it_is(file: str, service: str) -> None:
    given = service_of(file, service)
    if "build" in given:
        assert last(given["build"]["target"], "HEALTHCHECK").text != "NONE" or service in ONCE
    else:
        assert "healthcheck" in given or service in ONCE | WITHOUT_A_SHELL


@pytest.mark.parametrize(("file", "service"), OURS)
def test_a_service_has_the_time_that_its_end_takes(file: str, service: str) -> None:
    assert int(service_of(file, service)["stop_grace_period"].removesuffix("s")) > DRAIN_S + GRACE_S


@pytest.mark.parametrize(("file", "service"), SERVICES)
def test_who_waits_for_health_waits_for_somebody_who_tells_it(file: str, service: str) -> None:
    for other, condition in service_of(file, service).get("depends_on", {}).items():
        assert (condition["condition"] == "service_completed_successfully") == (other in ONCE)


@pytest.mark.parametrize(("file", "service"), SERVICES)
def test_ports_are_published_on_loopback_only(file: str, service: str) -> None:
    for port in service_of(file, service).get("ports", []):
        assert port.startswith("127.0.0.1:")


@pytest.mark.parametrize("file", NAMES)
def test_every_volume_is_used_and_every_file_is_there(file: str) -> None:
    named = {source for source in sources(file) if not source.startswith(".")}
    assert named == set(FILES[file]["volumes"])
    assert all((DEPLOY / source).is_file() for source in sources(file) if source.startswith("."))


@pytest.mark.parametrize("file", NAMES)
def test_only_what_publishes_a_port_is_on_a_network_with_a_way_out(file: str) -> None:
    open_networks = {name for name, network in FILES[file]["networks"].items() if not network.get("internal")}
    for given in FILES[file]["services"].values():
        assert bool(open_networks & set(given.get("networks", []))) == ("ports" in given)


def test_replicas_share_nothing_that_is_of_one_alone() -> None:
    for service in ("gateway", "serve", "work"):
        volumes = service_of("production", service)["volumes"]
        assert "/var/cache/acervo" in volumes  # without a name: each container has its own
        assert environment("production", service)["XDG_CACHE_HOME"] == str(Path("/var/cache/acervo").parent)
