"""The identity of a request, carried through every process it touches: request id and W3C traceparent."""

import random
import re
from contextvars import ContextVar
from dataclasses import dataclass

TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


@dataclass(frozen=True, slots=True)
class Trace:
    """One request as one process sees it."""

    request_id: str
    trace_id: str  # 32 hexadecimal digits
    span_id: str  # 16 hexadecimal digits, made by this process
    flags: str = "01"

    @property
    def traceparent(self) -> str:
        """What the next process is given."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


CURRENT: ContextVar[Trace | None] = ContextVar("trace", default=None)


def current() -> Trace:
    """The request that the present task works for; a new one where nothing was said."""
    trace = CURRENT.get()
    return begin("", "") if trace is None else trace


def begin(request_id: str, traceparent: str) -> Trace:
    """Take over what the caller said, or begin anew where it said nothing usable."""
    match = TRACEPARENT.fullmatch(traceparent)
    trace_id, flags = (match[1], match[3]) if match else (_digits(32), "01")
    known = request_id if REQUEST_ID.fullmatch(request_id) else _digits(32)
    return Trace(known, trace_id, _digits(16), flags)


def _digits(count: int) -> str:
    """Random hexadecimal digits. They tell requests apart and guard nothing: asking the kernel takes 20 us a time."""
    return f"{random.getrandbits(4 * count):0{count}x}"
