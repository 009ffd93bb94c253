"""The inner listener, between the gateways and the rag_servers of one machine: gRPC only, balanced and tried again.

The deadlines are the gateways'; what a gateway's metadata may hold passes.
"""

from typing import Any

from clusters import RAG_SERVER, socket_address
from contracts import Method
from routes import ANOTHER_HOST, STREAM_IDLE_S

HTTP = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
METADATA_KIB = 64
# What changes nothing is asked of another replica, also where one answers that it cannot now.
READ_RETRY = {
    "retry_on": "connect-failure,refused-stream,reset,unavailable",
    "num_retries": 3,
    "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.25s"},
    **ANOTHER_HOST,
}
# All else only where no handler can have seen it.
WRITE_RETRY = {**READ_RETRY, "retry_on": "connect-failure,refused-stream,reset-before-request"}


def inner_listener(address: tuple[str, int], methods: list[Method]) -> dict[str, Any]:
    """The listener as Envoy reads it."""
    manager = {
        "@type": HTTP,
        "stat_prefix": "inner",
        "codec_type": "HTTP2",
        "http2_protocol_options": {
            "initial_stream_window_size": 1_048_576,
            "initial_connection_window_size": 8_388_608,
        },
        "max_request_headers_kb": METADATA_KIB,
        "stream_idle_timeout": f"{STREAM_IDLE_S}s",
        "generate_request_id": False,
        "route_config": {"name": "inner", "virtual_hosts": [_host(methods)]},
        "http_filters": [
            {"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER, "suppress_envoy_headers": True}}
        ],
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    return {
        "name": "inner",
        "address": socket_address(address),
        "per_connection_buffer_limit_bytes": 1_048_576,
        "filter_chains": [{"filters": filters}],
    }


def _host(methods: list[Method]) -> dict[str, Any]:
    tried_again = [_route(method.path, _retrying(method)) for method in methods if not method.takes_stream]
    rest = {"name": "rest", "match": {"prefix": "/"}, "route": _limits()}  # uploads, health
    return {"name": "inner", "domains": ["*"], "routes": [*tried_again, rest]}


def _route(path: str, policy: dict[str, Any]) -> dict[str, Any]:
    return {"name": path.strip("/"), "match": {"path": path}, "route": {**_limits(), "retry_policy": policy}}


def _retrying(method: Method) -> dict[str, Any]:
    return READ_RETRY if method.read_only else WRITE_RETRY


def _limits() -> dict[str, Any]:
    return {"cluster": RAG_SERVER, "timeout": "0s"}
