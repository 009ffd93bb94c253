"""What others may read of Envoy's admin interface, which itself stays on loopback: figures, and whether it is ready."""

from typing import Any

CLUSTER = "admin"
PATHS = ("/stats/prometheus", "/ready")
ANSWER_S = 10


def metrics_listener(address: dict[str, Any]) -> dict[str, Any]:
    """A listener that passes two paths on to the admin interface and answers 404 to all others."""
    prefix = "type.googleapis.com/envoy.extensions.filters"
    routes = [{"match": {"path": path}, "route": {"cluster": CLUSTER, "timeout": f"{ANSWER_S}s"}} for path in PATHS]
    connections = {
        "@type": f"{prefix}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "metrics",
        "common_http_protocol_options": {"idle_timeout": "60s"},
        "request_headers_timeout": "5s",
        "route_config": {"name": "metrics", "virtual_hosts": [{"name": "metrics", "domains": ["*"], "routes": routes}]},
        "http_filters": [
            {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{prefix}.http.router.v3.Router"}}
        ],
    }
    manager = {"name": "envoy.filters.network.http_connection_manager", "typed_config": connections}
    # Not drained with the edge: what asks whether Envoy is ready must hear that it is not.
    return {
        "name": "metrics",
        "address": address,
        "filter_chains": [{"filters": [manager]}],
        "drain_type": "MODIFY_ONLY",
    }


def admin_cluster(address: dict[str, Any]) -> dict[str, Any]:
    """The admin interface as a cluster."""
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    return {
        "name": CLUSTER,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": CLUSTER, "endpoints": endpoints},
    }
