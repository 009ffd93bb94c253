"""Where a channel goes: to one rag_server, or in turns to those of several that say that they serve."""

import ipaddress
import json
from collections.abc import Mapping, Sequence

from serving.environment import SettingsError

# By turns: the replicas are equal, and a call that is lost is asked again of the next one.
_IN_TURNS: Mapping[str, object] = {"loadBalancingConfig": [{"round_robin": {}}]}
# With the health of each watched all the time: who drains or is not level yet gets no calls.
_HEALTHY_ONLY = {**_IN_TURNS, "healthCheckConfig": {"serviceName": ""}}


def target(addresses: Sequence[str]) -> str:
    """The name of the channel. Raises SettingsError for several addresses that are not all of one IP version."""
    if len(addresses) == 1:
        return addresses[0]
    versions = {_version(address) for address in addresses}
    if versions not in ({4}, {6}):
        told = "ACERVO_RAG_SERVER with several addresses must have numbers in place of names, all of one IP version"
        raise SettingsError(f"{told}; one name that DNS has several addresses for does as well")
    return f"ipv{versions.pop()}:{','.join(addresses)}"


def balanced(addresses: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The channel's options. A lone address gets all calls, well or not: it may be busy building its indexes."""
    config = _HEALTHY_ONLY if len(addresses) > 1 else _IN_TURNS
    return (("grpc.service_config", json.dumps(config)),)


def _version(address: str) -> int:
    try:
        return ipaddress.ip_address(address.rpartition(":")[0].strip("[]")).version
    except ValueError:
        return 0
