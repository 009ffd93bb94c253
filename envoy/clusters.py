"""The clusters: where the gateways and the rag_servers are, and how Envoy knows which of them are well."""

import ipaddress
from pathlib import Path
from typing import Any

GATEWAY = "gateway"
RAG_SERVER = "rag_server"
HTTP2 = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
# A server whose connections break or cannot be made gets no calls for a while, before the next check of its health.
# What it answers is not held against it: UNAVAILABLE may be true of all of them.
OUTLIERS = {
    "split_external_local_origin_errors": True,
    "consecutive_local_origin_failure": 2,
    "enforcing_consecutive_local_origin_failure": 100,
    "enforcing_local_origin_success_rate": 0,
    "enforcing_consecutive_5xx": 0,
    "enforcing_consecutive_gateway_failure": 0,
    "enforcing_success_rate": 0,
    "interval": "1s",
    "base_ejection_time": "2s",
    "max_ejection_time": "10s",
    "max_ejection_percent": 67,
}
# An empty service name asks for the server as a whole. Where no instance is healthy Envoy asks them all the same: a
# lone gateway that is slow to answer the check keeps its traffic.
HEALTH_CHECK = {
    "timeout": "2s",
    "interval": "1s",
    "no_traffic_interval": "1s",
    "unhealthy_threshold": 2,
    "healthy_threshold": 1,
    "grpc_health_check": {},
}
# "No instance is healthy" means none: Envoy's default gives up choosing when half of them are away.
NOT_BEFORE_ALL_ARE_ILL = {"healthy_panic_threshold": {"value": 1}}


def given(name: str, addresses: list[tuple[str, int]]) -> dict[str, Any]:
    """Servers at fixed addresses; a name is looked up in DNS again and again and may be many."""
    discovery = "STATIC" if all(is_ip(host) for host, _ in addresses) else "STRICT_DNS"
    endpoints = [{"endpoint": {"address": socket_address(address)}} for address in addresses]
    assignment = {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]}
    return _cluster(name, {"type": discovery, "load_assignment": assignment})


def followed(name: str, folder: Path) -> dict[str, Any]:
    """Servers that a file in the folder lists. It is replaced as a whole when they change, and read again."""
    source = {"path": str(folder / f"{name}.json"), "watched_directory": {"path": str(folder)}}
    config = {"path_config_source": source, "resource_api_version": "V3"}
    # Who is taken from the list gets no new calls at once, though it is well: it is about to end.
    discovery = {"type": "EDS", "eds_cluster_config": {"eds_config": config}, "ignore_health_on_host_removal": True}
    return _cluster(name, discovery)


def socket_address(address: tuple[str, int]) -> dict[str, Any]:
    """An address as Envoy writes it."""
    host, port = address
    return {"socket_address": {"address": host, "port_value": port}}


def is_ip(host: str) -> bool:
    """Whether it is a number rather than a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _cluster(name: str, discovery: dict[str, Any]) -> dict[str, Any]:
    # The window bounds what a stalled upload holds in memory; the default is 16 MiB a stream.
    windows = {"initial_stream_window_size": 1_048_576, "initial_connection_window_size": 8_388_608}
    limits = {
        "max_connections": 64,
        "max_pending_requests": 1024,
        "max_requests": 2048,
        "retry_budget": {"budget_percent": {"value": 20}, "min_retry_concurrency": 16},
    }
    return {
        "name": name,
        **discovery,
        "connect_timeout": "1s",
        "lb_policy": "LEAST_REQUEST",
        "common_lb_config": NOT_BEFORE_ALL_ARE_ILL,
        "per_connection_buffer_limit_bytes": 1_048_576,
        "circuit_breakers": {"thresholds": [limits]},
        "health_checks": [HEALTH_CHECK],
        "outlier_detection": OUTLIERS,
        # A server whose machine is gone; HTTP/2 pings would be counted against us by gRPC servers.
        "upstream_connection_options": {
            "tcp_keepalive": {"keepalive_probes": 3, "keepalive_time": 30, "keepalive_interval": 10}
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": HTTP2,
                "explicit_http_config": {"http2_protocol_options": windows},
            }
        },
    }
