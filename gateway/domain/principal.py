"""Who asks."""

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller with a name for logs, quotas and the audit."""

    name: str


ANONYMOUS = Principal("anonymous")
CURRENT: ContextVar[Principal] = ContextVar("principal", default=ANONYMOUS)
