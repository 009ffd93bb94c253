"""When to stop asking a server that does not answer, so that its clients hear so at once."""

from dataclasses import dataclass

FAILURES_TO_OPEN = 3


@dataclass(frozen=True, slots=True)
class Breaker:
    """How often in a row the server could not be reached."""

    failures: int = 0

    @property
    def is_open(self) -> bool:
        """Whether calls are refused without being tried."""
        return self.failures >= FAILURES_TO_OPEN

    def failed(self) -> "Breaker":
        """After a call that did not reach the server."""
        return Breaker(self.failures + 1)

    def succeeded(self) -> "Breaker":
        """After an answer, whatever it says."""
        return Breaker()
