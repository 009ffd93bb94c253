"""Whether the program of this container is well: exit status 0 if it is, 1 if not. For HEALTHCHECK and exec probes.

healthy.py grpc HOST:PORT        its gRPC health says SERVING
healthy.py http HOST:PORT/PATH   it answers 200
healthy.py slot                  a worker holds this container's slot, and its extractor runs
"""

import contextlib
import http.client
import os
import sys

ANSWER_S = 4.0


def main(arguments: list[str]) -> int:
    """The exit status; 2 where the arguments are wrong."""
    match arguments:
        case ["grpc", address]:
            return 0 if _serves(address) else 1
        case ["http", place]:
            return 0 if _answers(place) else 1
        case ["slot"]:
            return 0 if _works() else 1
    sys.stderr.write(f"{__doc__}\n")
    return 2


def _serves(address: str) -> bool:
    import grpc  # noqa: PLC0415 - the image of the edge has none
    from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: PLC0415 - as above

    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]  # its types leave it out
        try:
            answer = check(health_pb2.HealthCheckRequest(), timeout=ANSWER_S)
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def _answers(place: str) -> bool:
    address, _, path = place.partition("/")
    with contextlib.closing(http.client.HTTPConnection(address, timeout=ANSWER_S)) as connection:
        try:
            connection.request("GET", f"/{path}")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False


def _works() -> bool:
    from rag_server.adapters.flock.slots import SlotLock  # noqa: PLC0415 - only the worker's image needs it
    from rag_server.settings import read  # noqa: PLC0415 - as above

    return any(worker.isolation for worker in SlotLock(read(os.environ, 1).folder).present())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
