"""The routes: what each kind of RPC may take in time and bytes, and whether Envoy may try it again."""

from typing import Any

from contracts import Method

CLUSTER = "gateway"
PREVIOUS_HOSTS = "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
UNARY_S = 30
# Long batches are embedded in small turns; Envoy ends what is silent for 300 s.
BATCH_S = 240
# Unlike their kind. GetJob waits up to 60 s for `wait`; Verify is a stream, but one that must end.
ALLOWED_S = {
    "/acervo.rag.v1.JobService/GetJob": 65,
    "/acervo.rag.v1.CollectionService/DeleteCollection": 60,
    "/acervo.rag.v1.SystemService/Verify": 120,
    "/acervo.rag.v1.EmbeddingService/Embed": BATCH_S,
    "/acervo.rag.v1.EmbeddingService/Rerank": BATCH_S,
    "/acervo.gateway.v1.OpenAiService/CreateEmbeddings": BATCH_S,
    "/acervo.gateway.v1.OpenAiService/CreateReranking": BATCH_S,
}
# Bodies of more than the default limit; the gateway has its own for them.
LARGE_BODIES = frozenset({"/acervo.gateway.v1.TextService/UpsertTexts"})
UPLOAD_IDLE_S = 60
# Streams send a sign of life every 10 s, so that this ends only what is dead.
STREAM_IDLE_S = 600
# The gateway's own deadline comes first and its answer is the better one.
GRACE_S = 1

FILTER_CONFIG = "type.googleapis.com/envoy.config.route.v3.FilterConfig"
WITHOUT_DEFAULT_LIMIT = {"body_limit_default": {"@type": FILTER_CONFIG, "disabled": True}}
# A second try goes to another one, where there is one.
ANOTHER_HOST = {
    "retry_host_predicate": [
        {
            "name": "envoy.retry_host_predicates.previous_hosts",
            "typed_config": {"@type": f"type.googleapis.com/{PREVIOUS_HOSTS}"},
        }
    ],
    "host_selection_retry_max_attempts": 5,
}
# Only what no gateway answered: what a gateway says of the rag_server is the same at every other one.
RETRY = {
    "retry_on": "connect-failure,refused-stream,reset",
    "num_retries": 2,
    "retry_back_off": {"base_interval": "0.05s", "max_interval": "0.5s"},
    **ANOTHER_HOST,
}
# A gateway that hangs is set aside after some seconds. Until then another one is given what it does not answer; the
# first answer counts. The gateway does the same with the rag_servers, sooner.
SILENT_S = 2
HEDGED = {
    "retry_policy": {**RETRY, "per_try_timeout": f"{SILENT_S}s"},
    "hedge_policy": {"hedge_on_per_try_timeout": True},
}


def make_routes(methods: list[Method]) -> list[dict[str, Any]]:
    """Uploads by their REST path, every RPC by its own, then the rest."""
    uploads = [_upload_by_rest(method, path) for method in methods for path in method.http_paths if method.takes_stream]
    large = [_large_by_rest(method, path) for method in methods for path in method.http_paths if _is_large(method)]
    return [*uploads, *large, *(_by_rpc(method) for method in methods), _tools(), _rest()]


def _upload_by_rest(method: Method, path: str) -> dict[str, Any]:
    if "{" in path:
        raise ValueError(f"{path}: uploads are matched by exact paths; a variable needs a template match here")
    return {
        "name": f"rest {method.name}",
        "match": {"path": path},
        "route": _upload_limits(),
        "typed_per_filter_config": WITHOUT_DEFAULT_LIMIT,
    }


def _is_large(method: Method) -> bool:
    return method.path in LARGE_BODIES


def _large_by_rest(method: Method, path: str) -> dict[str, Any]:
    limits = {"cluster": CLUSTER, "timeout": f"{UNARY_S + GRACE_S}s"}
    match = {"name": f"rest {method.name}", "match": {"path": path}}
    return {**match, "route": limits, "typed_per_filter_config": WITHOUT_DEFAULT_LIMIT}


def _by_rpc(method: Method) -> dict[str, Any]:
    route: dict[str, Any] = {"name": f"{method.service}/{method.name}", "match": {"path": method.path}}
    if method.takes_stream:
        return {**route, "route": _upload_limits(), "typed_per_filter_config": WITHOUT_DEFAULT_LIMIT}
    if method.gives_stream:
        return {**route, "route": {**_stream_limits(ALLOWED_S.get(method.path, 0)), **_retrying(method)}}
    allowed_s = ALLOWED_S.get(method.path, UNARY_S)
    deadline = {"header": {"key": "grpc-timeout", "value": f"{allowed_s}S"}, "append_action": "ADD_IF_ABSENT"}
    limits = {"cluster": CLUSTER, "timeout": f"{allowed_s + GRACE_S}s", **_retrying(method)}
    large = {"typed_per_filter_config": WITHOUT_DEFAULT_LIMIT} if _is_large(method) else {}
    return {**route, "request_headers_to_add": [deadline], "route": limits, **large}


def _retrying(method: Method) -> dict[str, Any]:
    if not method.read_only:
        return {}
    takes_long = method.gives_stream or method.path in ALLOWED_S
    return {"retry_policy": RETRY} if takes_long else HEDGED


def _upload_limits() -> dict[str, Any]:
    return {"cluster": CLUSTER, "timeout": "0s", "idle_timeout": f"{UPLOAD_IDLE_S}s"}


def _stream_limits(allowed_s: int) -> dict[str, Any]:
    return {"cluster": CLUSTER, "timeout": f"{allowed_s}s", "idle_timeout": f"{STREAM_IDLE_S}s"}


def _tools() -> dict[str, Any]:
    # Health and reflection, which are in no descriptor set of ours.
    return {"name": "grpc tools", "match": {"prefix": "/grpc."}, "route": _stream_limits(0)}


def _rest() -> dict[str, Any]:
    # REST before it is transcoded; and what nobody serves, which the transcoder or the gateway says.
    return {"name": "rest", "match": {"prefix": "/"}, "route": {"cluster": CLUSTER, "timeout": f"{UNARY_S}s"}}
