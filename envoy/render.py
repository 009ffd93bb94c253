"""Write the Envoy configuration: `python envoy/render.py --listen … --gateway … > envoy.yaml`.

The same program serves a laptop and containers: a gateway given by name is looked up in DNS again and again and may be
many, one given by address is one. Nothing but the arguments differs. With `--endpoints` files name the gateways and the
rag_servers, which may change while Envoy runs, and `--inner` is where the gateways find the rag_servers.
"""

import argparse
import ipaddress
import sys
from pathlib import Path
from typing import Any

import yaml
from clusters import GATEWAY, RAG_SERVER, followed, given, is_ip, socket_address
from contracts import Method, read_methods, services_of
from inner import inner_listener
from metrics import admin_cluster, metrics_listener
from replies import local_replies
from routes import make_routes

HERE = Path(__file__).parent
MIB = 1024 * 1024


def main() -> None:
    """Read the arguments, write YAML to the standard output."""
    parser = _parser()
    arguments = parser.parse_args()
    if bool(arguments.gateway) == bool(arguments.endpoints) or bool(arguments.inner) != bool(arguments.endpoints):
        parser.error("either --gateway, once or more, or both --endpoints and --inner")
    yaml.safe_dump(render(arguments), sys.stdout, sort_keys=False, allow_unicode=True, width=1000)


def render(arguments: argparse.Namespace) -> Any:
    """The whole configuration as data."""
    methods = read_methods(arguments.descriptors)
    values = {
        "admin_address": socket_address(arguments.admin),
        "listen_address": socket_address(arguments.listen),
        "access_log": _access_log(arguments.access_log),
        "local_replies": local_replies(),
        "routes": make_routes(methods),
        "max_upload_body_bytes": max_body_bytes(arguments.max_upload_bytes),
        "status_lua": (HERE / "status.lua").read_text(),
        "descriptors": str(arguments.descriptors),
        "services": services_of(methods),
    }
    config = fill(yaml.safe_load((HERE / "envoy.yaml").read_text()), values)
    _add_servers(config, arguments, methods)
    if arguments.metrics is not None:
        config["static_resources"]["listeners"].append(metrics_listener(socket_address(arguments.metrics)))
        config["static_resources"]["clusters"].append(admin_cluster(socket_address(arguments.admin)))
    return config


def _add_servers(config: dict[str, Any], arguments: argparse.Namespace, methods: list[Method]) -> None:
    resources = config["static_resources"]
    if arguments.endpoints is None:
        resources["clusters"] = [given(GATEWAY, arguments.gateway)]
        return
    config["node"] = {"id": "edge", "cluster": "acervo"}  # Envoy reads no file of endpoints without a name of its own
    resources["clusters"] = [followed(name, arguments.endpoints) for name in (GATEWAY, RAG_SERVER)]
    resources["listeners"].append(inner_listener(arguments.inner, methods))


def fill(node: Any, values: dict[str, Any]) -> Any:
    """The tree with every `$name` replaced; a name without a value is an error."""
    if isinstance(node, dict):
        return {key: fill(value, values) for key, value in node.items()}
    if isinstance(node, list):
        return [fill(item, values) for item in node]
    if isinstance(node, str) and node.startswith("$"):
        return values[node[1:]]
    return node


def max_body_bytes(max_upload_bytes: int) -> int:
    """The most that a body may hold: a file of `max_upload_bytes` with its form fields, boundaries or gRPC framing."""
    return max_upload_bytes + max_upload_bytes // 64 + MIB


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", type=_host_port, required=True, metavar="HOST:PORT")
    parser.add_argument("--admin", type=_loopback, required=True, metavar="HOST:PORT", help="on loopback only")
    parser.add_argument("--gateway", type=_host_port, action="append", metavar="HOST:PORT", help="once or more")
    parser.add_argument("--endpoints", type=Path, metavar="DIR", help="with gateway.json and rag_server.json in it")
    parser.add_argument("--inner", type=_loopback, metavar="HOST:PORT", help="where gateways find the rag_servers")
    parser.add_argument(
        "--metrics", type=_host_port, metavar="HOST:PORT", help="where /stats/prometheus and /ready are told to others"
    )
    parser.add_argument("--descriptors", type=Path, required=True, help="the descriptor set, as Envoy will find it")
    parser.add_argument("--max-upload-bytes", type=int, default=100 * MIB, help="the largest file (default 100 MiB)")
    parser.add_argument("--access-log", default="stdout", metavar="PATH|stdout")
    return parser


def _host_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def _loopback(text: str) -> tuple[str, int]:
    host, port = _host_port(text)
    if not (is_ip(host) and ipaddress.ip_address(host).is_loopback):
        raise argparse.ArgumentTypeError(f"{host!r} is not loopback, and nobody is asked for a password there")
    return host, port


def _access_log(target: str) -> dict[str, Any]:
    kind = "stream.v3.StdoutAccessLog" if target == "stdout" else "file.v3.FileAccessLog"
    config = {"@type": f"type.googleapis.com/envoy.extensions.access_loggers.{kind}"}
    path = {} if target == "stdout" else {"path": target}
    return {
        "name": "edge",
        "typed_config": {**config, **path, "log_format": {"json_format": LOG_LINE}},
    }


# Never the query string: it can hold a search. Response details name Envoy's filters, not what was sent.
LOG_LINE = {
    "time": "%START_TIME%",
    "event": "edge",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "traceparent": "%REQ(TRACEPARENT)%",
    "protocol": "%PROTOCOL%",
    "method": "%REQ(X-ENVOY-ORIGINAL-METHOD?:METHOD)%",
    "path": "%PATH(NQ:ORIG_OR_PATH)%",
    "route": "%ROUTE_NAME%",
    "code": "%RESPONSE_CODE%",
    "grpc_status": "%GRPC_STATUS(CAMEL_STRING)%",
    "flags": "%RESPONSE_FLAGS%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "duration_ms": "%DURATION%",
    "received_ms": "%REQUEST_DURATION%",
    "first_byte_ms": "%RESPONSE_DURATION%",
    "bytes_received": "%BYTES_RECEIVED%",
    "bytes_sent": "%BYTES_SENT%",
    "upstream": "%UPSTREAM_HOST%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
}


if __name__ == "__main__":
    main()
