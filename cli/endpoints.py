"""The files by which Envoy knows the gateways and the rag_servers of this machine; it follows them while it runs."""

import json
from collections.abc import Sequence
from pathlib import Path

from cli.failure import Failure

ASSIGNMENT = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"


class Endpoints:
    """One file for each kind of server."""

    def __init__(self, folder: Path) -> None:
        """Makes the folder. Raises Failure."""
        self.folder = folder
        self._version = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Failure(f"{folder} cannot be written: {error.strerror}") from error

    def write(self, cluster: str, addresses: Sequence[str]) -> None:
        """Replace the list as a whole: Envoy looks when a file is moved into the folder."""
        self._version += 1
        endpoints = [{"endpoint": {"address": _socket_address(address)}} for address in addresses]
        assignment = {"@type": ASSIGNMENT, "cluster_name": cluster, "endpoints": [{"lb_endpoints": endpoints}]}
        draft = self.folder.with_name(f"{cluster}.draft")
        draft.write_text(json.dumps({"version_info": str(self._version), "resources": [assignment]}))
        draft.replace(self.folder / f"{cluster}.json")


def _socket_address(address: str) -> dict[str, object]:
    host, _, port = address.rpartition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}
