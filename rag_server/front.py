"""Speaks gRPC for `serve`, whose child it is: `python -m rag_server.front`.

It knows no store and no index. It ends when `serve` does.
"""

import json
import signal
import sys

import uvloop

from rag_server.adapters.front_process.process import FrontOrder
from rag_server.bootstrap.front import listening
from serving import logs


def main() -> None:
    """Listen as the first argument says. Signals are for `serve`, which ends its calls first."""
    order = FrontOrder(**json.loads(sys.argv[1]))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    logs.configure("serve", order.log_level)
    uvloop.run(listening(order))


if __name__ == "__main__":
    main()
