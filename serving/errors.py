"""What a call can fail with. One tree, closed; a domain error is a subclass with a fixed reason.

ServiceError
├── InvalidInput      INVALID_ARGUMENT
├── NotFound          NOT_FOUND
├── Conflict          FAILED_PRECONDITION
├── Unauthenticated   UNAUTHENTICATED
├── Denied            PERMISSION_DENIED
├── Exhausted         RESOURCE_EXHAUSTED
└── Unavailable       UNAVAILABLE

Anything else that is raised becomes INTERNAL with its text hidden.
"""

from typing import ClassVar

from serving.redaction import redacted


class Unusable(Exception):
    """The program cannot run with what it was given: an operator has to mend it. The message says what to do."""

    exit_status: ClassVar[int] = 78
    """EX_CONFIG of sysexits: starting again does not help."""

    def __str__(self) -> str:
        return redacted(super().__str__())


class InUse(Unusable):
    """Another process has what this one needs, perhaps only for a moment."""

    exit_status = 2


class ServiceError(Exception):
    """The call failed."""

    reason: ClassVar[str] = "INTERNAL"
    """A value name of acervo.rag.v1.ErrorReason without its prefix."""
    http_code: ClassVar[int | None] = None
    """The HTTP status through the edge, where the gRPC code's own would mislead clients."""

    def __init__(self, message: str = "", **metadata: str) -> None:
        """The message defaults to the class's docstring; every variable in it stands in `metadata`, too."""
        self.message = message or (type(self).__doc__ or "").strip()
        self.metadata = metadata
        super().__init__(self.message)


class InvalidInput(ServiceError):
    """The request is malformed."""

    reason = "INVALID_REQUEST"

    def __init__(self, message: str = "", *, field: str = "", **metadata: str) -> None:
        """`field` is the path of the request's field that is at fault, where there is one."""
        super().__init__(message, **metadata)
        self.field = field


class NotFound(ServiceError):
    """There is no such thing."""

    def __init__(self, message: str = "", *, name: str = "", **metadata: str) -> None:
        """`name` is the resource name that was asked for."""
        super().__init__(message, **metadata)
        self.name = name


class Conflict(ServiceError):
    """The thing is in a state that does not allow this."""


class Unauthenticated(ServiceError):
    """The caller did not say who it is."""


class Denied(ServiceError):
    """The caller may not do this."""


class Exhausted(ServiceError):
    """A limit is reached."""

    reason = "OVERLOADED"

    def __init__(self, message: str = "", *, retry_after_s: float | None = None, **metadata: str) -> None:
        """`retry_after_s` is unset where trying again later would not help."""
        super().__init__(message, **metadata)
        self.retry_after_s = retry_after_s


class Unavailable(ServiceError):
    """A part that the call needs does not answer; try again."""

    reason = "NOT_READY"

    def __init__(self, message: str = "", *, retry_after_s: float = 1.0, **metadata: str) -> None:
        """`retry_after_s` is when trying again may help."""
        super().__init__(message, **metadata)
        self.retry_after_s = retry_after_s
