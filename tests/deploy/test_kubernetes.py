"""The Kubernetes manifests, held against the models of the API, one another and the program."""

import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from gateway.settings import read as read_gateway
from rag_server.settings import read as read_rag_server
from serving.environment import KNOWN
from serving.server import DRAIN_S, GRACE_S
from storage.profile import Production
from tests.deploy.dockerfile import IMAGES, last, variables

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
FORM = "secrets.example.yaml"
NAME = "app.kubernetes.io/name"
MODULES = {
    "v1": "core_v1",
    "apps/v1": "apps_v1",
    "batch/v1": "batch_v1",
    "policy/v1": "policy_v1",
    "networking.k8s.io/v1": "networking_v1",
}
KEDA = "keda.sh/v1alpha1"  # its kinds are KEDA's own: only what we say ourselves is looked at


@cache
def kustomization() -> Any:
    return yaml.safe_load((FOLDER / "kustomization.yaml").read_text())


def read(name: str) -> Iterator[Any]:
    yield from yaml.safe_load_all((FOLDER / name).read_text())


def resources(*kinds: str) -> dict[str, Any]:
    found = [each for name in kustomization()["resources"] for each in read(name)]
    return {each["metadata"]["name"]: each for each in found if each["kind"] in kinds}


def everything() -> list[Any]:
    return [each for path in sorted(FOLDER.glob("*.yaml")) if path.stem != "kustomization" for each in read(path.name)]


WORKLOADS = resources("Deployment", "Job")
DEPLOYMENTS = resources("Deployment")


def pod(name: str) -> Any:
    return WORKLOADS[name]["spec"]["template"]["spec"]


def container(name: str) -> Any:
    (only,) = pod(name)["containers"]
    return only


def environment(name: str) -> dict[str, str]:
    """What the program is told, its image's own variables below it."""
    maps = resources("ConfigMap") | {each["metadata"]["name"]: each for each in read(FORM)}
    given = dict(variables(container(name)["image"].removeprefix("acervo-")))
    for source in container(name).get("envFrom", []):
        (reference,) = source.values()
        given |= maps[reference["name"]].get("data", {}) | maps[reference["name"]].get("stringData", {})
    for entry in container(name).get("env", []):
        (reference,) = entry["valueFrom"].values()
        data = maps[reference["name"]].get("data", {}) | maps[reference["name"]].get("stringData", {})
        given |= (
            {entry["name"]: data.get(reference["key"], "")}
            if reference.get("optional")
            else {entry["name"]: data[reference["key"]]}
        )
    return given


def lost(given: Any, kept: Any, path: str = "") -> list[str]:
    """The places of what was given and did not survive."""
    if isinstance(given, dict) and isinstance(kept, dict):
        return [place for key, value in given.items() for place in lost(value, kept.get(key), f"{path}.{key}")]
    if isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        return [place for n, pair in enumerate(zip(given, kept, strict=True)) for place in lost(*pair, f"{path}[{n}]")]
    return [] if given in (kept, {}) else [path]


def test_every_file_is_part_of_it_but_the_form_for_secrets() -> None:
    files = {path.name for path in FOLDER.glob("*.yaml")}
    assert files == {*kustomization()["resources"], "kustomization.yaml", FORM}


@pytest.mark.parametrize(
    "resource",
    [each for each in everything() if each["apiVersion"] != KEDA],
    ids=lambda each: f"{each['kind']} {each['metadata']['name']}",
)
def test_a_resource_has_no_field_that_the_api_does_not_know(resource: Any) -> None:
    model = getattr(importlib.import_module(f"lightkube.models.{MODULES[resource['apiVersion']]}"), resource["kind"])
    understood = msgspec.convert(resource, model)
    assert lost(resource, msgspec.to_builtins(understood)) == []


def test_what_the_api_does_not_know_is_noticed() -> None:
    (gateway, *_) = read("gateway.yaml")
    gateway["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {"tcpSocket": {"port": 1}}
    model = importlib.import_module("lightkube.models.apps_v1").Deployment
    assert lost(gateway, msgspec.to_builtins(msgspec.convert(gateway, model)))


@pytest.mark.parametrize("name", sorted(WORKLOADS))
def test_a_pod_has_no_more_rights_than_it_needs(name: str) -> None:
    given, within = pod(name)["securityContext"], container(name)["securityContext"]
    assert given["runAsNonRoot"] is True
    assert f"{given['runAsUser']}:{given['runAsGroup']}" == last(image(name), "USER").text
    assert given["seccompProfile"] == {"type": "RuntimeDefault"}
    assert within == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod(name)["automountServiceAccountToken"] is False


def image(name: str) -> str:
    return str(container(name)["image"]).removeprefix("acervo-")


@pytest.mark.parametrize("name", sorted(WORKLOADS))
def test_an_image_is_one_of_ours_and_has_a_version(name: str) -> None:
    versions = {each["name"]: each["newTag"] for each in kustomization()["images"]}
    assert image(name) in IMAGES
    assert versions[container(name)["image"]]


@pytest.mark.parametrize("name", sorted(WORKLOADS))
def test_a_container_is_bounded_in_memory_and_asks_for_its_share(name: str) -> None:
    given = container(name)["resources"]
    assert {"cpu", "memory"} <= set(given["requests"])
    assert "memory" in given["limits"]


@pytest.mark.parametrize("name", sorted(WORKLOADS))
def test_every_volume_is_mounted_and_every_mount_has_one(name: str) -> None:
    mounts = {mount["name"]: mount["mountPath"] for mount in container(name)["volumeMounts"]}
    assert set(mounts) == {volume["name"] for volume in pod(name)["volumes"]}
    assert mounts["tmp"] == "/tmp"  # noqa: S108 - a volume of the pod
    assert mounts.get("cache", "/var/cache/acervo") == "/var/cache/acervo"


@pytest.mark.parametrize("name", sorted(WORKLOADS))
def test_settings_are_known(name: str) -> None:
    assert {each for each in environment(name) if each.startswith("ACERVO_")} <= KNOWN


@pytest.mark.parametrize("name", ["gateway", "serve", "work"])
def test_the_programs_take_the_forms_settings_once_they_are_filled_in(name: str) -> None:
    filled = {key: re.sub(r"<(\w+)>", r"\1", value) for key, value in environment(name).items()}
    for settings in (read_gateway(filled), read_rag_server(filled, 2)):
        assert isinstance(settings.storage, Production)


def test_no_secret_has_a_value() -> None:
    assert resources("Secret") == {}
    secrets = [value for secret in read(FORM) for value in secret["stringData"].values()]
    assert all(re.search(r"<\w+>", value) for value in secrets)


@pytest.mark.parametrize("name", sorted(DEPLOYMENTS))
def test_a_deployment_selects_its_own_pods_and_is_disturbed_one_by_one(name: str) -> None:
    spec = DEPLOYMENTS[name]["spec"]
    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"] == {NAME: name}
    assert resources("PodDisruptionBudget")[name]["spec"]["selector"]["matchLabels"] == {NAME: name}
    (spread,) = pod(name)["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == {NAME: name}


@pytest.mark.parametrize("name", sorted(DEPLOYMENTS))
def test_a_deployment_is_asked_whether_it_started_and_is_ready(name: str) -> None:
    assert {"startupProbe", "readinessProbe"} <= set(container(name))
    assert ("livenessProbe" in container(name)) == ("ports" in container(name))


@pytest.mark.parametrize(("name", "listen"), [("gateway", "ACERVO_GATEWAY_LISTEN"), ("serve", "ACERVO_RAG_LISTEN")])
def test_a_server_is_asked_over_grpc_where_it_listens(name: str, listen: str) -> None:
    port = int(variables(image(name))[listen].rpartition(":")[2])
    assert container(name)["readinessProbe"]["grpc"]["port"] == port
    assert [each["containerPort"] for each in container(name)["ports"]] == [port]
    assert [each["port"] for each in resources("Service")[name]["spec"]["ports"]] == [port]


def test_the_edge_and_the_gateway_are_told_names_that_there_are() -> None:
    arguments = last("envoy", "CMD").exec_form
    for address in (arguments[arguments.index("--gateway") + 1], environment("gateway")["ACERVO_RAG_SERVER"]):
        service, _, port = address.partition(":")
        assert str(resources("Service")[service]["spec"]["ports"][0]["port"]) == port
        assert resources("Service")[service]["spec"]["clusterIP"] == "None"  # all its addresses, not one for all


@pytest.mark.parametrize("name", sorted(resources("Service")))
def test_a_service_finds_pods_and_their_ports(name: str) -> None:
    spec = resources("Service")[name]["spec"]
    assert spec["selector"] == {NAME: name}
    assert {port["targetPort"] for port in spec["ports"]} <= {port["name"] for port in container(name)["ports"]}


@pytest.mark.parametrize("name", ["gateway", "serve"])
def test_a_pod_has_the_time_that_its_end_takes(name: str) -> None:
    before_s = int(container(name)["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod(name)["terminationGracePeriodSeconds"] > before_s + DRAIN_S + GRACE_S


def test_scaling_finds_the_workers_and_leaves_their_number_to_nobody_else() -> None:
    scaled = resources("ScaledObject")["work"]["spec"]
    assert scaled["scaleTargetRef"]["name"] in DEPLOYMENTS
    assert "replicas" not in DEPLOYMENTS["work"]["spec"]
    assert 1 <= scaled["minReplicaCount"] < scaled["maxReplicaCount"]
    authentication = resources("TriggerAuthentication")[scaled["triggers"][0]["authenticationRef"]["name"]]
    (target,) = authentication["spec"]["secretTargetRef"]
    secrets = {each["metadata"]["name"]: each["stringData"] for each in read(FORM)}
    assert target["key"] in secrets[target["name"]]
