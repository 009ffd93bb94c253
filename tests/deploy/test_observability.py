"""Dashboards, alerts and scrapes ask only for what somebody really tells."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.deploy.composition import DEPLOY, load, required
from tests.deploy.dockerfile import last
from tests.deploy.edge import running_edge

FOLDER = DEPLOY / "observability"
COLLECTOR = yaml.safe_load((FOLDER / "collector.yaml").read_text())
SCRAPES = yaml.safe_load((FOLDER / "prometheus.yaml").read_text())["scrape_configs"]
ALERTS = [rule for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"] for rule in group["rules"]]
DASHBOARD = json.loads((FOLDER / "grafana" / "acervo.json").read_text())
SERVICES = load("production", required())["services"]


def expressions() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]] + [
        rule["expr"] for rule in ALERTS
    ]


def counted() -> set[str]:
    """What the collector makes of the queue, as Prometheus names it."""
    queries = COLLECTOR["receivers"]["sqlquery"]["queries"]
    return {metric["metric_name"].replace(".", "_") for query in queries for metric in query["metrics"]}


def test_every_figure_of_envoy_is_one_that_it_tells(envoys_figures: str) -> None:
    asked = {name for line in expressions() for name in re.findall(r"\b(envoy_\w+)\{", line)}
    told = set(re.findall(r"^(envoy_\w+)", envoys_figures, re.MULTILINE))
    assert len(asked) > 5
    assert asked <= told


def test_every_label_of_envoy_is_one_that_it_gives(envoys_figures: str) -> None:
    asked = {pair for line in expressions() for pair in re.findall(r'(envoy_\w+="[^"]+")', line)}
    assert asked
    assert all(pair in envoys_figures for pair in asked)


def test_every_figure_of_the_queue_is_one_that_the_collector_makes() -> None:
    asked = {name for line in expressions() for name in re.findall(r"\bacervo_\w+", line)}
    assert asked == counted()


@pytest.mark.parametrize("scrape", SCRAPES, ids=lambda scrape: scrape["job_name"])
def test_what_is_scraped_is_there_on_a_network_that_prometheus_is_on(scrape: Any) -> None:
    (where,) = scrape["dns_sd_configs"]
    (service,) = where["names"]
    assert set(SERVICES[service]["networks"]) & set(SERVICES["prometheus"]["networks"])
    listening = {
        "envoy": last("envoy", "CMD").text,
        "collector": COLLECTOR["exporters"]["prometheus"]["endpoint"],
    }[service]
    assert re.search(rf":{where['port']}\b", listening)


def test_a_pipeline_is_made_of_parts_that_are_configured_and_every_part_is_used() -> None:
    pipelines = COLLECTOR["service"]["pipelines"].values()
    for kind in ("receivers", "processors", "exporters"):
        assert {part for pipeline in pipelines for part in pipeline[kind]} == set(COLLECTOR[kind])


def test_the_collector_is_told_every_password_that_it_reads() -> None:
    read = set(re.findall(r"\$\{env:(\w+)\}", (FOLDER / "collector.yaml").read_text()))
    assert read == set(SERVICES["collector"]["environment"])


def test_panels_stand_beside_each_other() -> None:
    cells = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_grafana_finds_the_dashboard_and_where_the_figures_are() -> None:
    (provider,) = yaml.safe_load((FOLDER / "grafana" / "dashboards.yaml").read_text())["providers"]
    (source,) = yaml.safe_load((FOLDER / "grafana" / "datasources.yaml").read_text())["datasources"]
    mounted = {volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"]}
    assert str(Path(provider["options"]["path"]) / "acervo.json") in mounted
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {source["uid"]}


@pytest.fixture(scope="module")
def envoys_figures(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a real Envoy tells after a request."""
    with running_edge(tmp_path_factory.mktemp("edge")) as running:
        httpx.get(f"{running.edge}/health/live", trust_env=False)
        return httpx.get(f"{running.figures}/stats/prometheus", trust_env=False).text
