"""The network policies: nothing speaks to anything but for the edges of the drawing in docs/architecture.md."""

from typing import Any

import pytest

from tests.deploy.test_kubernetes import DEPLOYMENTS, NAME, WORKLOADS, container, resources

POLICIES = resources("NetworkPolicy")


def selected(selector: Any) -> set[str]:
    """The workloads that a selector means."""
    names = set(WORKLOADS)
    if wanted := selector.get("matchLabels", {}).get(NAME):
        assert wanted in names
        names = {wanted}
    for expression in selector.get("matchExpressions", []):
        assert (expression["key"], expression["operator"]) == (NAME, "In")
        assert set(expression["values"]) <= set(WORKLOADS)
        names &= set(expression["values"])
    return names


def allowed(direction: str, end: str) -> set[tuple[str, str, int]]:
    """(of, with, port) within the namespace, as the policies of one direction say."""
    return {
        (of, peer, port["port"])
        for policy in POLICIES.values()
        for of in selected(policy["spec"]["podSelector"])
        for rule in policy["spec"].get(direction, [])
        for peers in rule[end]
        if "podSelector" in peers and "namespaceSelector" not in peers
        for peer in selected(peers["podSelector"])
        for port in rule["ports"]
    }


def test_without_a_rule_nothing_passes() -> None:
    closed = [policy["spec"] for policy in POLICIES.values() if policy["spec"]["podSelector"] == {}]
    assert {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} in closed


def test_what_may_be_called_may_be_answered_and_the_other_way_round() -> None:
    outgoing = allowed("egress", "to")
    assert outgoing == {("envoy", "gateway", 50050), ("gateway", "serve", 50051)}
    assert {(caller, called, port) for called, caller, port in allowed("ingress", "from")} == outgoing


@pytest.mark.parametrize("name", sorted(DEPLOYMENTS))
def test_only_ports_that_are_open_are_let_through(name: str) -> None:
    ports = {each["containerPort"] for each in container(name).get("ports", [])}
    own = [policy["spec"] for policy in POLICIES.values() if selected(policy["spec"]["podSelector"]) == {name}]
    rules = [rule for spec in own for rule in spec.get("ingress", [])]
    assert {port["port"] for rule in rules for port in rule["ports"]} == ports


def test_only_what_needs_the_stores_reaches_them() -> None:
    outside = {
        of
        for policy in POLICIES.values()
        for of in selected(policy["spec"]["podSelector"])
        for rule in policy["spec"].get("egress", [])
        if any("ipBlock" in peer for peer in rule["to"])
    }
    assert outside == {"gateway", "serve", "work", "migrate"}
