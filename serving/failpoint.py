"""Named points in durable steps where a test can kill the process: free of charge unless ACERVO_FAILPOINT is set."""

import os
import signal

# "name" kills at the first passage, "name:3" at the third.
_NAME, _, _COUNT = os.environ.get("ACERVO_FAILPOINT", "").partition(":")
_left = [int(_COUNT or "1")]


def failpoint(name: str) -> None:
    """Die here, as with kill -9, if the environment says so."""
    if name == _NAME:
        _left[0] -= 1
        if _left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
