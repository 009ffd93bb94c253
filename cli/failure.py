"""What went wrong, in one line that says what to do."""

from dataclasses import dataclass


@dataclass(slots=True)
class Failure(Exception):
    """A command cannot do what it was asked to. `message` is one line for people."""

    message: str
    reason: str = ""  # a name of ErrorReason, or one of the client's own
    passing: bool = False  # trying again may help
    retry_after_s: float = 0.0  # not before; 0 where the server did not say
    exit_status: int = 1

    def __str__(self) -> str:
        return self.message
